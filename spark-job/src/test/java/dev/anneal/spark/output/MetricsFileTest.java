package dev.anneal.spark.output;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.junit.jupiter.api.Test;

class MetricsFileTest {

  @Test
  void writesALineForEveryEvaluation() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (MetricsFile file = new MetricsFile(bytes)) {
      file.evaluation(0, 2.5);
      file.evaluation(10, 1.5);
      file.requireComplete();
    }
    assertThat(bytes.toString(UTF_8).lines())
        .containsExactly("{\"step\":0,\"eval_loss\":2.5}", "{\"step\":10,\"eval_loss\":1.5}");
  }

  @Test
  void remembersTheFirstLineThatItCouldNotWrite() throws IOException {
    try (MetricsFile file = new MetricsFile(new FullDisk())) {
      file.evaluation(0, 2.5);
      file.evaluation(10, 1.5);
      assertThatThrownBy(file::requireComplete)
          .isInstanceOf(IOException.class)
          .hasMessage("metrics.jsonl: no space left, write 1");
    }
  }

  private static final class FullDisk extends OutputStream {
    private int writes;

    @Override
    public void write(int b) throws IOException {
      writes++;
      throw new IOException("no space left, write " + writes);
    }
  }
}
