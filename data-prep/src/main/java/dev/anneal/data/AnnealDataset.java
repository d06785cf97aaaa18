package dev.anneal.data;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetManifest.PartFile;
import dev.anneal.data.manifest.Split;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.data.task.TaskFailure;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.TokenizerFiles;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.TaskCompletionListener;

/** A prepared data set as a DataFrame, for a look at it from Spark, PySpark or a notebook. */
public final class AnnealDataset {
  /** Columns of the DataFrame, one prepared row a row. */
  static final StructType SCHEMA =
      StructType.fromDDL(
          "split STRING, sequence BIGINT, row INT, tokens INT, target_tokens INT,"
              + " input_ids ARRAY<INT>, target_spans ARRAY<STRUCT<start: INT, end: INT>>,"
              + " text STRING, learned ARRAY<STRING>");

  private AnnealDataset() {}

  /**
   * Reads a data set, file by file on the executors.
   *
   * @param path the folder of the run, or its {@code dataset} folder
   * @return columns {@code split} (train or eval), {@code sequence} and {@code row} (place in the
   *     split), {@code tokens}, {@code target_tokens}, {@code input_ids}, {@code target_spans}
   *     (positions in the row that are learned), {@code text}, and {@code learned} (the text of
   *     each span); the last two are null where the rows came tokenized without a tokenizer
   * @throws InvalidDataException if there is no complete data set, or its tokenizer is gone
   */
  public static Dataset<Row> read(SparkSession spark, String path) {
    return read(spark, path, null);
  }

  /**
   * Same as {@link #read(SparkSession, String)}, with the tokenizer from another place.
   *
   * @param tokenizer folder of the tokenizer that prepared the data set
   */
  public static Dataset<Row> read(SparkSession spark, String path, String tokenizer) {
    JavaSparkContext sc = JavaSparkContext.fromSparkContext(spark.sparkContext());
    Storage storage = new Storage(sc.hadoopConfiguration());
    String folder = folder(SourceFiles.qualified(path, storage), storage);
    DatasetManifest manifest = DatasetManifest.read(folder, storage);
    String place = tokenizer == null ? manifest.spec().tokenizer() : tokenizer;
    Broadcast<Texts> texts = sc.broadcast(Texts.of(manifest, place, storage));
    List<Part> parts = new ArrayList<>();
    for (Split split : Split.values()) {
      long firstSequence = 0;
      for (PartFile file : manifest.part(split).files()) {
        parts.add(new Part(folder, split, file, firstSequence));
        firstSequence += file.sequences();
      }
    }
    return spark.createDataFrame(
        sc.parallelize(parts, parts.size())
            .flatMap(
                part ->
                    TaskFailure.readable(
                        TaskFailure.readable(() -> part.read(texts.value(), storage)))),
        SCHEMA);
  }

  private static String folder(String path, Storage storage) {
    String run = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    try {
      return storage.exists(run + "/dataset/" + DatasetManifest.FILE_NAME) ? run + "/dataset" : run;
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(path, e), e);
    }
  }

  /** A file of the data set, as it travels to an executor. */
  private record Part(String folder, Split split, PartFile file, long firstSequence)
      implements Serializable {

    Iterator<Row> read(Texts texts, Storage storage) {
      PreparedDataset dataset = PreparedDataset.of(folder, List.of(file), storage);
      TaskCompletionListener close = context -> dataset.close();
      TaskContext.get().addTaskCompletionListener(close);
      return LongStream.range(0, dataset.size())
          .boxed()
          .flatMap(index -> rows(index, dataset, texts))
          .iterator();
    }

    private Stream<Row> rows(long index, PreparedDataset dataset, Texts texts) {
      List<TokenizedRow> rows = dataset.read(index).rows();
      return IntStream.range(0, rows.size())
          .mapToObj(i -> row(firstSequence + index, i, rows.get(i), texts));
    }

    private Row row(long sequence, int number, TokenizedRow row, Texts texts) {
      LearnedText text = texts.of(row);
      return RowFactory.create(
          split.name().toLowerCase(Locale.ROOT),
          sequence,
          number,
          row.length(),
          row.targetTokens(),
          row.ids(),
          spans(row.targetSpans()),
          text == null ? null : text.whole(),
          text == null ? null : text.learned().toArray());
    }

    private static Object[] spans(int[] targetSpans) {
      return IntStream.range(0, targetSpans.length / 2)
          .mapToObj(i -> RowFactory.create(targetSpans[2 * i], targetSpans[2 * i + 1]))
          .toArray();
    }
  }

  /** Turns rows back into text, with one tokenizer a process. */
  private static final class Texts implements Serializable {
    private static final long serialVersionUID = 1L;

    private final TokenizerFiles files;
    private transient ChatTokenizer tokenizer;

    private Texts(TokenizerFiles files) {
      this.files = files;
    }

    static Texts of(DatasetManifest manifest, String tokenizer, Storage storage) {
      if (tokenizer == null) {
        return new Texts(null);
      }
      Texts texts = new Texts(TokenizerFiles.read(tokenizer, storage));
      manifest.requireTokenizer(texts.tokenizer(), tokenizer);
      return texts;
    }

    /** The row as text; null where there is no tokenizer. */
    LearnedText of(TokenizedRow row) {
      return files == null ? null : LearnedText.of(row, tokenizer());
    }

    private synchronized ChatTokenizer tokenizer() {
      if (tokenizer == null) {
        tokenizer = ChatTokenizer.of(files);
      }
      return tokenizer;
    }
  }
}
