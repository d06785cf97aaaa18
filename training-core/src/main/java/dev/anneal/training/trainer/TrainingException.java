package dev.anneal.training.trainer;

/** A rank failed while training; the message names the rank, the step and what failed. */
public sealed class TrainingException extends RuntimeException permits NotFiniteException {
  TrainingException(String message) {
    super(message);
  }

  TrainingException(String message, Throwable cause) {
    super(message, cause);
  }
}
