package dev.anneal.spark.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Folders that get another name. */
class RunFolderTest {
  @TempDir Path dir;

  @Test
  void aNewNameReplacesNothing() throws IOException {
    RunFolder folder = new RunFolder(dir.toUri().toString(), new Configuration());
    folder.write("first/part", new byte[] {1});
    folder.write("second/part", new byte[] {2});
    assertThat(folder.moveNewFolder("first", "result")).isTrue();
    assertThatThrownBy(() -> folder.moveNewFolder("second", "result"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("cannot be moved to");
    assertThat(dir.resolve("result/part")).hasBinaryContent(new byte[] {1});
    assertThat(dir.resolve("second/part")).exists();

    assertThat(folder.moveFolder("second", "result")).isTrue();
    assertThat(dir.resolve("result/part")).hasBinaryContent(new byte[] {2});
    assertThat(dir.toFile().list()).containsExactly("result");
  }
}
