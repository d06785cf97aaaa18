package dev.anneal.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.output.PublishedMetrics;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import java.io.IOException;
import java.time.Instant;
import org.apache.hadoop.conf.Configuration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads what a run, finished or under way, has left in its folder. */
final class RunFiles {
  private static final Logger LOG = LoggerFactory.getLogger(RunFiles.class);
  private static final ObjectMapper JSON = new ObjectMapper();

  private RunFiles() {}

  /**
   * A run as its files show it.
   *
   * @param location path or URI of its output folder
   * @throws BadRequestException if no run can be read there
   */
  static RunView read(String location, Configuration hadoop) {
    RunFolder folder = new RunFolder(location, hadoop);
    try {
      if (!folder.has(RunFolder.RECORD)) {
        throw new BadRequestException(
            "%s holds no run.json: name the output folder of a run.".formatted(folder.display()));
      }
      JsonNode record = record(folder);
      MetricsLog metrics = PublishedMetrics.read(folder);
      return new RunView(location, record, metrics, dataset(folder), Instant.now());
    } catch (InvalidCheckpointException e) {
      throw new BadRequestException(
          "%s: %s: take that line out.".formatted(folder.display(), e.getMessage()), e);
    } catch (IOException | IllegalArgumentException e) {
      throw new BadRequestException(Storage.cannotRead(folder.display(), e), e);
    }
  }

  private static JsonNode record(RunFolder folder) throws IOException {
    byte[] bytes = folder.read(RunFolder.RECORD);
    JsonNode record;
    try {
      record = JSON.readTree(bytes);
    } catch (IOException e) {
      throw new BadRequestException(
          "%s: run.json is damaged: put it back.".formatted(folder.display()), e);
    }
    if (!record.path("state").isTextual()) {
      throw new BadRequestException(
          "%s: run.json there is not Anneal's: name the output folder of a run."
              .formatted(folder.display()));
    }
    return record;
  }

  /** A page without it is of use as well. */
  private static DatasetManifest dataset(RunFolder folder) throws IOException {
    if (!folder.has(RunFolder.DATASET + "/" + DatasetManifest.FILE_NAME)) {
      return null;
    }
    try {
      return DatasetManifest.read(folder.child(RunFolder.DATASET), folder.storage());
    } catch (InvalidDataException e) {
      LOG.warn("the page shows no data set: {}", e.getMessage());
      return null;
    }
  }
}
