package dev.anneal.spark.generate;

import dev.anneal.data.task.TaskFailure;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.preflight.OutputPlaceCheck;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** The output of a request: it appears under its name when all answers are there. */
final class AnswerFile {
  private static final int MOST_PARQUET_FILES = 64;

  private final GenerationOutput output;
  private final RunFolder folder;
  private final Storage storage;
  private final WorkFolder work;

  AnswerFile(GenerationOutput output, Configuration hadoop) {
    this.output = output;
    this.folder = new RunFolder(output.location(), hadoop);
    this.storage = new Storage(hadoop);
    this.work = new WorkFolder(new RunFolder(output.parent(), hadoop), output);
  }

  /** Where answers wait. */
  WorkFolder work() {
    return work;
  }

  /**
   * Makes sure that it can be written.
   *
   * @throws BadRequestException if it cannot, or is there already
   */
  void requireFree(SparkConf spark) {
    OutputPlaceCheck.check("--output", folder, spark);
    try {
      if (storage.exists(output.location())) {
        throw new BadRequestException(
            "%s is there already: remove it, or name another output.".formatted(folder.display()));
      }
      String probe = output.beside(".anneal-probe-" + UUID.randomUUID());
      storage.write(probe, out -> {});
      storage.delete(probe);
    } catch (IOException | IllegalArgumentException e) {
      throw new BadRequestException(
          "--output %s cannot be written (%s): choose a place that this user can write to."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }

  /** Writes it from its parts, which are all there, and removes them. */
  void publish(List<WorkFolder.Part> parts, Supplier<SparkSession> spark) throws IOException {
    requireAbsent();
    List<String> locations = parts.stream().map(work::location).toList();
    switch (output.form()) {
      case JSON_LINES -> join(locations);
      case PARQUET -> parquet(locations, spark.get());
    }
    work.remove();
  }

  private void requireAbsent() throws IOException {
    if (storage.exists(output.location())) {
      throw new JobFailedException(
          "%s has come to be meanwhile: remove it, and the same command has only to write it."
              .formatted(folder.display()),
          null);
    }
  }

  private void join(List<String> locations) throws IOException {
    storage.write(
        output.location(),
        out -> {
          for (String location : locations) {
            try (InputStream in = storage.open(location)) {
              in.transferTo(out);
            }
          }
          // what is written here takes the place of what has the name
          requireAbsent();
        });
  }

  private void parquet(List<String> locations, SparkSession spark) throws IOException {
    Storage everywhere = storage;
    Dataset<String> lines =
        spark.createDataset(
            JavaSparkContext.fromSparkContext(spark.sparkContext())
                .parallelize(locations, Math.min(locations.size(), MOST_PARQUET_FILES))
                .flatMap(location -> TaskFailure.readable(() -> lines(location, everywhere)))
                .rdd(),
            Encoders.STRING());
    String first = lines(locations.get(0), storage).next();
    Dataset<Row> rows = LineFrame.of(spark, lines, first);
    rows.write().parquet(work.parquet());
    requireAbsent();
    if (!work.publishParquet()) {
      // a store has no folders to rename; Spark's _SUCCESS says there that all is written
      rows.write().parquet(output.location());
    }
  }

  private static Iterator<String> lines(String location, Storage storage) throws IOException {
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(storage.open(location), StandardCharsets.UTF_8))) {
      return reader.lines().toList().iterator();
    }
  }
}
