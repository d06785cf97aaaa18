package dev.anneal.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of a table are known as such wherever in its folder they lie. */
class LakeTableTest {
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir Path dir;

  @Test
  void partitionsMayBeNestedToAnyDepth() throws IOException {
    Files.createDirectories(dir.resolve("delta/_delta_log"));
    file("delta/a=1/b=2/c=3/d=4/e=5/f=6/part.parquet");
    Files.createDirectories(dir.resolve("ice/metadata"));
    Files.writeString(dir.resolve("ice/metadata/v1.metadata.json"), "{}");
    file("ice/data/a=1/b=2/c=3/d=4/part.parquet");

    refuses("delta/a=1/b=2/c=3/d=4/e=5/f=6", "delta");
    refuses("delta/a=1/b=2/c=3/d=4/e=5/f=6/*.parquet", "delta");
    refuses("delta/*/*/*/*/*/*", "delta");
    refuses("ice/data/a=1/b=2/c=3/d=4/part.parquet", "iceberg");
  }

  @Test
  void filesOfOtherDepthsHideNoTable() throws IOException {
    file("plain.parquet");
    file("x/plain.parquet");
    Files.createDirectories(dir.resolve("x/y/_delta_log"));
    file("x/y/a=1/part.parquet");
    String glob = "{plain.parquet,x/*.parquet,x/y/*/*.parquet}";
    refuses(glob, "delta");

    Files.delete(dir.resolve("x/y/_delta_log"));
    assertThat(find(glob)).hasSize(3);
  }

  private void refuses(String source, String format) {
    assertThatThrownBy(() -> find(source))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("is a file of the " + format + " table '");
  }

  private List<FileInfo> find(String source) {
    return SourceFiles.find(dir + "/" + source, dir.resolve("out").toString(), STORAGE);
  }

  private void file(String name) throws IOException {
    Path path = dir.resolve(name);
    Files.createDirectories(path.getParent());
    Files.writeString(path, "PAR1");
  }
}
