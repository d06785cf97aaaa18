package dev.anneal.data.format;

import dev.anneal.data.token.Message;
import java.util.List;

/** What a row says, before it is tokenized. */
public sealed interface Example {
  /** A conversation of which the assistant's turns are learned. */
  record Chat(List<Message> messages) implements Example {}

  /** Text that is learned as a whole. */
  record Text(String text) implements Example {}

  /** Ids from elsewhere, learned from position {@code promptLength} on. */
  record Tokens(int[] ids, int promptLength) implements Example {}
}
