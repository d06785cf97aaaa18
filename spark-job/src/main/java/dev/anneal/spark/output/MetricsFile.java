package dev.anneal.spark.output;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.fs.FSDataOutputStream;

/**
 * {@code metrics.jsonl}: a line for every step and every evaluation, there as soon as it is written
 * where the file system can do that (an object store shows the file when it is closed).
 */
public final class MetricsFile implements AutoCloseable {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET)
          .build();

  private static final String HFLUSH = "hflush";

  private record Evaluation(long step, double evalLoss) {}

  private final OutputStream out;

  private IOException failure;

  MetricsFile(OutputStream out) {
    this.out = out;
  }

  /** Begins the file of a new run. */
  public static MetricsFile create(RunFolder folder) throws IOException {
    return new MetricsFile(folder.create(RunFolder.METRICS));
  }

  public void step(StepMetrics metrics) {
    write(metrics);
  }

  public void evaluation(long step, double evalLoss) {
    write(new Evaluation(step, evalLoss));
  }

  /** Throws what the first line met that could not be written: the file is cut off there. */
  public synchronized void requireComplete() throws IOException {
    if (failure != null) {
      throw new IOException(RunFolder.METRICS + ": " + failure.getMessage(), failure);
    }
  }

  private synchronized void write(Object line) {
    if (failure != null) {
      return;
    }
    try {
      out.write((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
      if (out instanceof FSDataOutputStream data && data.hasCapability(HFLUSH)) {
        data.hflush();
      } else {
        out.flush();
      }
    } catch (IOException e) {
      // a caller's exception would only reach Spark's log
      failure = e;
    }
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
