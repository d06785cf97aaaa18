package dev.anneal.data.token;

import java.util.Objects;

/** One turn of a conversation. */
public record Message(String role, String content) {
  public Message {
    Objects.requireNonNull(role, "role");
    Objects.requireNonNull(content, "content");
  }
}
