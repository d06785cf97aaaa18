package dev.anneal.spark;

import dev.anneal.data.DatasetManifest;
import dev.anneal.data.PrepJob;
import dev.anneal.data.PrepSpec;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.Specs;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;

/** The data preparation for programs and notebooks that have a Spark session already. */
public final class DataPreparation {
  private DataPreparation() {}

  /**
   * Prepares a data set. Nothing is checked ahead: the job itself finds out what is wrong.
   *
   * @param settings {@code KEY=VALUE} as {@code --set} takes them: {@code data.source} and {@code
   *     output.path} are needed, {@code model.tokenizer} unless the rows are tokenized
   * @throws BadRequestException if a setting is missing or unknown, or if {@code output.path} holds
   *     a data set already
   * @throws dev.anneal.data.InvalidDataException if data or tokenizer cannot be used
   */
  public static DatasetManifest run(SparkSession spark, List<String> settings) {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    PrepSpec spec = spec(settings);
    requireFree(new RunFolder(spec.output(), hadoop));
    return PrepJob.run(spark, spec);
  }

  /**
   * Same as {@link #run}, in the place of a data set that may be there.
   *
   * @param settings see {@link #run}
   */
  public static DatasetManifest replace(SparkSession spark, List<String> settings) {
    return PrepJob.run(spark, spec(settings));
  }

  private static PrepSpec spec(List<String> settings) {
    AnnealConfig config = ConfigLoader.load(null, settings, Path.of("").toAbsolutePath());
    require("data.source", config.data().source());
    require("output.path", config.output().path());
    return Specs.prep(config, config.model().tokenizer());
  }

  private static void require(String key, String value) {
    if (value == null) {
      throw new BadRequestException(
          "%s is not set: add %s=... to the settings.".formatted(key, key));
    }
  }

  private static void requireFree(RunFolder folder) {
    try {
      Storage storage = folder.storage();
      String manifest = folder.child(RunFolder.DATASET) + "/" + DatasetManifest.FILE_NAME;
      if (storage.exists(manifest)) {
        throw new BadRequestException(
            "%s holds a data set already: choose another output.path, or replace it."
                .formatted(folder.display()));
      }
    } catch (IOException e) {
      throw new BadRequestException(
          "output.path %s cannot be read (%s): choose a folder that this user can reach."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }
}
