package dev.anneal.spark.config;

import java.io.Serializable;
import java.util.Map;

/** What a run learns from: the section {@code data} of {@link AnnealConfig}. */
public record DataConfig(Rows rows, EvalRows evalRows, Sequences sequences)
    implements Serializable {

  /** What becomes of rows that are longer than a sequence. */
  public enum TooLong {
    TRUNCATE,
    DROP
  }

  /**
   * Which rows it learns from.
   *
   * @param source path, URI or glob of the instruction rows; a table or a data set of the hub
   * @param format what a row looks like
   * @param columns the source's column for a field of the format that has another name there
   * @param template file with a chat template; {@code null}: the model's own
   * @param limit only the first so many rows; {@code null}: all
   * @param evalRows rows held out from training
   * @param maxBadRows share of unreadable rows above which the data is refused
   */
  public record Rows(
      String source,
      String format,
      Map<String, String> columns,
      String template,
      Long limit,
      int evalRows,
      double maxBadRows)
      implements Serializable {}

  /**
   * Rows to evaluate on that are a data set of their own.
   *
   * @param evalSource as that of the rows to learn from; {@code null}: rows held out from them
   * @param evalFormat {@code null}: that of the rows to learn from
   * @param evalColumns {@code null}: those of the rows to learn from
   * @param evalLimit only the first so many; {@code null}: all
   */
  public record EvalRows(
      String evalSource, String evalFormat, Map<String, String> evalColumns, Long evalLimit)
      implements Serializable {
    /** Whether there are any. */
    public boolean areGiven() {
      return evalSource != null;
    }
  }

  /**
   * How rows are cut into sequences.
   *
   * @param maxLength of a sequence, in tokens
   * @param tooLong what becomes of longer rows
   * @param splitLong longer rows become several; goes before {@code tooLong}
   */
  public record Sequences(
      int maxLength,
      TooLong tooLong,
      boolean splitLong,
      boolean packing,
      boolean shuffle,
      boolean trainOnPrompt)
      implements Serializable {}
}
