package dev.anneal.training.peer;

/** Ranks cannot read each other's memory; the message says why, without a full stop. */
public final class NoPeerAccessException extends Exception {
  public NoPeerAccessException(String message) {
    super(message);
  }
}
