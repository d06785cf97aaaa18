package dev.anneal.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.format.BadRowException;
import dev.anneal.data.format.LearnedPart;
import dev.anneal.data.format.RowTokenizer;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.io.Storage;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.TokenizerFiles;
import java.io.Serializable;

/**
 * Takes a row from JSON to tokens. It travels to executors as a broadcast, so that each of their
 * processes loads the tokenizer once.
 */
final class RowPreparer implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final PrepSpec spec;
  private final TokenizerFiles files;
  private transient ChatTokenizer tokenizer;
  private transient RowTokenizer rowTokenizer;

  private RowPreparer(PrepSpec spec, TokenizerFiles files) {
    this.spec = spec;
    this.files = files;
  }

  /** What became of a row. */
  sealed interface Outcome {}

  /**
   * A row to learn from.
   *
   * @param row at most {@code max_length} tokens
   * @param fullLength tokens before truncation
   */
  record Kept(TokenizedRow row, int fullLength) implements Outcome {}

  /** A row that cannot be read. */
  record Bad(String reason) implements Outcome {}

  /** A row in which nothing is left to learn. */
  record Dropped(String reason, int fullLength) implements Outcome {}

  /**
   * Reads the tokenizer and makes sure that it serves the format.
   *
   * @throws InvalidDataException if it does not
   */
  static RowPreparer load(PrepSpec spec, Storage storage) {
    TokenizerFiles files =
        spec.tokenizer() == null ? null : TokenizerFiles.read(spec.tokenizer(), storage);
    RowPreparer preparer = new RowPreparer(spec, files);
    if (spec.format().needsChatTemplate()) {
      preparer.tokenizer().requireChatTemplate();
    }
    return preparer;
  }

  Outcome prepare(String json) {
    try {
      return prepare(JSON.readTree(json));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a row was read as JSON before", e);
    }
  }

  Outcome prepare(JsonNode json) {
    try {
      TokenizedRow whole = rowTokenizer().tokenize(spec.format().parse(json));
      TokenizedRow row = whole.truncate(spec.maxLength());
      if (row.targetSpans().length > 0) {
        return new Kept(row, whole.length());
      }
      String reason =
          whole.targetSpans().length > 0
              ? "no learned token is left within max_length"
              : "no token is learned";
      return new Dropped(reason, whole.length());
    } catch (BadRowException e) {
      return new Bad(e.getMessage());
    }
  }

  /** The tokenizer of this process; null for rows that came tokenized without one. */
  synchronized ChatTokenizer tokenizer() {
    if (tokenizer == null && files != null) {
      tokenizer = ChatTokenizer.of(files);
    }
    return tokenizer;
  }

  /** Frees the tokenizer of this process. */
  synchronized void close() {
    if (tokenizer != null) {
      tokenizer.close();
      tokenizer = null;
      rowTokenizer = null;
    }
  }

  private synchronized RowTokenizer rowTokenizer() {
    if (rowTokenizer == null) {
      LearnedPart learned = spec.trainOnPrompt() ? LearnedPart.WHOLE_ROW : LearnedPart.ANSWERS;
      rowTokenizer = new RowTokenizer(tokenizer(), learned);
    }
    return rowTokenizer;
  }
}
