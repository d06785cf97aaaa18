package dev.anneal.spark.output;

import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Reads {@code metrics.jsonl} as a run has published it, or is publishing it at this moment. */
public final class PublishedMetrics {
  private PublishedMetrics() {}

  /**
   * All lines, those in {@link RunFolder#METRICS_SEGMENTS} first.
   *
   * @throws dev.anneal.training.checkpoint.InvalidCheckpointException if one is damaged
   */
  public static MetricsLog read(RunFolder folder) throws IOException {
    List<byte[]> pieces = new ArrayList<>();
    int segments;
    do {
      pieces.clear();
      for (segments = 0; folder.has(MetricsSegments.name(segments)); segments++) {
        pieces.add(folder.read(MetricsSegments.name(segments)));
      }
      if (folder.has(RunFolder.METRICS)) {
        pieces.add(folder.read(RunFolder.METRICS));
      }
      // what the file has given up to a new segment meanwhile would be missing
    } while (folder.has(MetricsSegments.name(segments)));
    return MetricsLog.published(pieces);
  }
}
