package dev.anneal.spark.generate;

import java.util.List;

/** Where prompts come from. */
public sealed interface PromptInput {
  /**
   * Of rows, the column that holds the prompt; {@code null} for {@code prompt} or {@code messages}.
   */
  String column();

  /** What a user says, a text each. */
  record Texts(List<String> texts) implements PromptInput {
    public Texts {
      texts = List.copyOf(texts);
    }

    @Override
    public String column() {
      return null;
    }
  }

  /**
   * What {@code data.source} takes, or a file of texts.
   *
   * @param location path, URI, glob, table or name on the hub
   * @param column that holds the prompt; {@code null} for {@code prompt} or {@code messages}
   * @param becomesColumns whether what its rows have is to be columns of Spark
   */
  record Source(String location, String column, boolean becomesColumns) implements PromptInput {}

  /** Rows of a program. */
  record Rows(FramePrompts frame) implements PromptInput {
    @Override
    public String column() {
      return frame.column();
    }
  }
}
