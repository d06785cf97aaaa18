package dev.anneal.spark.output;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PublishedLinesTest {
  private static final Duration LEAST = Duration.ofMillis(10);
  private static final Duration CONNECTION = Duration.ofMillis(200);

  @TempDir Path dir;

  /** A store that takes its time for every file. */
  public static final class SlowStore extends ObjectStore {
    @Override
    public FSDataOutputStream create(
        org.apache.hadoop.fs.Path file,
        FsPermission permission,
        boolean overwrite,
        int bufferSize,
        short replication,
        long blockSize,
        Progressable progress)
        throws IOException {
      try {
        Thread.sleep(CONNECTION.toMillis());
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
      return super.create(
          file, permission, overwrite, bufferSize, replication, blockSize, progress);
    }
  }

  @Test
  void aFileThatIsWrittenAnewTakesATwentiethOfTheTimeAtMost() throws Exception {
    Configuration hadoop = new Configuration();
    hadoop.set("fs.oss.impl", SlowStore.class.getName());
    hadoop.setBoolean("fs.oss.impl.disable.cache", true);
    try (PublishedLines lines = new PublishedLines(new RunFolder("oss://" + dir, hadoop))) {
      assertThat(lines.pause(LEAST)).isLessThanOrEqualTo(LEAST);
      // the first file also loads classes
      lines.replace(out -> out.write('\n'));
      lines.replace(out -> out.write('\n'));
      assertThat(lines.pause(LEAST)).isGreaterThan(CONNECTION.multipliedBy(10));
    }
  }
}
