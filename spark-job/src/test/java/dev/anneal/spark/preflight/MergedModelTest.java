package dev.anneal.spark.preflight;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MergedModelTest {
  private static final long LARGE = 1L << 40;

  @TempDir Path dir;

  @Test
  void whatItReplacesIsRoom() throws IOException {
    RunFolder folder = new RunFolder(dir.toUri().toString(), new Configuration());
    long before = MergedModel.room(folder);
    Path merged = Files.createDirectory(dir.resolve(RunFolder.MERGED));
    try (RandomAccessFile file =
        new RandomAccessFile(merged.resolve("model.safetensors").toFile(), "rw")) {
      // of holes, which take nothing of the disk
      file.setLength(LARGE);
    }
    assertThat(MergedModel.room(folder) - before).isGreaterThan(LARGE / 2);
  }
}
