package dev.anneal.data.prep;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.manifest.DatasetSettings;
import dev.anneal.data.manifest.SourceFingerprint;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.Serializable;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What to prepare and how.
 *
 * @param rows what is read
 * @param sequences what becomes of it
 * @param seed of the shuffle
 * @param tokenizer folder with {@code tokenizer.json}; null only for rows that are tokenized
 *     already
 * @param output folder of the run
 * @param vocabSize tokens that the model embeds, of which rows may use no other
 * @param folder of the data set in {@code output}
 */
public record PrepSpec(
    Rows rows,
    Sequences sequences,
    long seed,
    String tokenizer,
    String output,
    int vocabSize,
    String folder)
    implements Serializable {

  /** For the data set that is trained on. */
  public PrepSpec(
      Rows rows, Sequences sequences, long seed, String tokenizer, String output, int vocabSize) {
    this(rows, sequences, seed, tokenizer, output, vocabSize, "dataset");
  }

  public PrepSpec {
    Objects.requireNonNull(output, "output");
    require(
        tokenizer != null || !rows.format().needsTokenizer(),
        "Rows of format '"
            + rows.format().configName()
            + "' need a tokenizer: set model.tokenizer to a folder with tokenizer.json.");
  }

  /**
   * Which rows are read, and how they are understood.
   *
   * @param source path, URI or glob of the instruction rows
   * @param format what a row looks like
   * @param columns the column of the source that stands for a field of the format, where it has
   *     another name
   * @param template a chat template in the place of the model's own; null for the model's
   * @param limit only that many rows from the start of the files; null for all
   * @param evalRows rows held out from training
   * @param maxBadRows the share of unreadable rows, 0 to 1, above which the data set is refused
   */
  public record Rows(
      String source,
      RowFormat format,
      SortedMap<String, String> columns,
      String template,
      Long limit,
      int evalRows,
      double maxBadRows)
      implements Serializable {

    public Rows {
      Objects.requireNonNull(source, "source");
      Objects.requireNonNull(format, "format");
      columns = new TreeMap<>(columns);
      format.checkColumns(columns);
      require(
          limit == null || limit > 0,
          "data.limit is " + limit + ", but must be at least 1 or none.");
      require(evalRows >= 0, "data.eval_rows is " + evalRows + ", but must not be negative.");
      require(
          maxBadRows >= 0 && maxBadRows <= 1,
          "data.max_bad_rows is " + maxBadRows + ", but is a share between 0 and 1.");
    }
  }

  /**
   * How rows become sequences.
   *
   * @param maxLength the longest sequence, in tokens
   * @param longRows what becomes of rows that are longer
   * @param packing several rows share a sequence; otherwise one row a sequence
   * @param shuffle rows in an order drawn from the seed; otherwise in the order of the files
   * @param trainOnPrompt the prompt is learned too
   */
  public record Sequences(
      int maxLength, LongRows longRows, boolean packing, boolean shuffle, boolean trainOnPrompt)
      implements Serializable {

    public Sequences {
      Objects.requireNonNull(longRows, "longRows");
      require(maxLength >= 2, "data.max_length is " + maxLength + ", but must be at least 2.");
    }
  }

  /** The folder that {@link PrepJob} writes and that a training run opens. */
  public String datasetUri() {
    return output.endsWith("/") ? output + folder : output + "/" + folder;
  }

  /** What of this decides what the files of the data set hold. */
  DatasetSettings settings() {
    ObjectNode values = JsonNodeFactory.instance.objectNode();
    values.put("source", rows.source());
    values.put("format", rows.format().configName());
    ObjectNode columns = values.putObject("columns");
    rows.columns().forEach(columns::put);
    values.put("template", rows.template());
    values.put("max_length", sequences.maxLength());
    values.put("long_rows", sequences.longRows().name().toLowerCase(Locale.ROOT));
    values.put("packing", sequences.packing());
    values.put("shuffle", sequences.shuffle());
    values.put("train_on_prompt", sequences.trainOnPrompt());
    values.put("limit", rows.limit());
    values.put("eval_rows", rows.evalRows());
    values.put("max_bad_rows", rows.maxBadRows());
    values.put("seed", seed);
    values.put("tokenizer", tokenizer);
    return new DatasetSettings(values);
  }

  /** What the files of the source look like from outside. */
  SourceFingerprint fingerprint(List<FileInfo> files, Storage storage) {
    // copies from the hub lie below the output folder, which may be anywhere
    boolean inPlace = SourceFiles.areInPlace(rows.source());
    return SourceFingerprint.of(files, inPlace ? "" : SourceFiles.qualified(output, storage) + "/");
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new InvalidDataException(message);
    }
  }
}
