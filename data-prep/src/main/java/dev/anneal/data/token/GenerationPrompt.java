package dev.anneal.data.token;

/** Whether a rendered conversation ends with the header of the assistant's next turn. */
public enum GenerationPrompt {
  ADD,
  OMIT
}
