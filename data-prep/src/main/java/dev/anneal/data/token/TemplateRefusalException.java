package dev.anneal.data.token;

import dev.anneal.data.error.OneLine;

/** A chat template's own {@code raise_exception}: it does not take this conversation. */
public final class TemplateRefusalException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  TemplateRefusalException(String message) {
    super(OneLine.of(String.valueOf(message)), null, false, false);
  }
}
