package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.JavaProcess;
import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.checkpoint.CheckpointSink;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.OutputFolder;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A rank that dies while it writes its part of a checkpoint has not said that it is there. */
class KilledWriterTest {
  private static final int WRITTEN_BYTES = 1000;

  @TempDir Path folder;

  @Test
  void leavesTheCheckpointIncomplete() throws Exception {
    Path part = Rank.part(folder);
    try (JavaProcess rank =
        JavaProcess.start(
            Rank.class, folder.resolve("log"), List.of("-Xmx256m"), List.of(folder.toString()))) {
      long deadline = System.nanoTime() + 60_000_000_000L;
      while (!Files.exists(part) || Files.size(part) < WRITTEN_BYTES) {
        assertThat(System.nanoTime()).as(rank.output()).isLessThan(deadline);
        Thread.sleep(20);
      }
      rank.kill();
    }
    assertThat(part).hasSize(WRITTEN_BYTES);
    assertThat(folder.resolve("told")).doesNotExist();
  }

  /** Its disk takes a thousand bytes and no more. */
  static final class Rank {
    private Rank() {}

    static Path part(Path folder) {
      return folder.resolve("step-2").resolve("rank-00000-of-00001.safetensors");
    }

    public static void main(String[] args) {
      Path folder = Path.of(args[0]);
      ResumableRun.FP32.run(
          new SingleRank(),
          folder.resolve("result"),
          new CheckpointPlan(2, new Stuck(folder), null),
          new RecordingListener());
    }
  }

  private record Stuck(Path folder) implements CheckpointSink {
    @Override
    public OutputFolder folder(long step) {
      LocalOutputFolder into = new LocalOutputFolder(folder.resolve("step-" + step));
      return new OutputFolder() {
        @Override
        public String location() {
          return into.location();
        }

        @Override
        public OutputStream create(String file) throws IOException {
          return new Limited(into.create(file));
        }
      };
    }

    @Override
    public void written(CheckpointPart part) {
      tell();
    }

    @Override
    public void failed(long step, int rank, String reason) {
      tell();
    }

    @Override
    public void leftOut(long step) {
      // those after the first
    }

    private void tell() {
      try {
        Files.createFile(folder.resolve("told"));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static final class Limited extends FilterOutputStream {
    private int left = WRITTEN_BYTES;

    Limited(OutputStream out) {
      super(out);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      int taken = Math.min(left, length);
      out.write(bytes, offset, taken);
      left -= taken;
      while (taken < length) {
        Thread.onSpinWait();
      }
    }
  }
}
