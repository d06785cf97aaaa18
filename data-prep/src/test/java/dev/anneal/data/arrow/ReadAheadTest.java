package dev.anneal.data.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.data.manifest.Split;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.stream.LongStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Remote files are read by threads of their own before they are asked for. */
class ReadAheadTest {
  private static final int MAX_LENGTH = 1 << 15;
  private static final int BATCH_ROWS = 8;
  private static final String READ_AHEAD = "anneal-read-ahead";

  @TempDir Path dir;
  private Configuration conf;
  private Watched files;

  @BeforeEach
  void watch() throws IOException {
    conf = new Configuration();
    conf.setClass("fs.watched.impl", Watched.class, FileSystem.class);
    files = (Watched) FileSystem.get(URI.create("watched:///"), conf);
    files.reads.clear();
  }

  /** A remote file system that notes which thread reads where, and fails when it is told to. */
  public static final class Watched extends RawLocalFileSystem {
    private final Queue<Read> reads = new ConcurrentLinkedQueue<>();
    private final CountDownLatch gate = new CountDownLatch(1);
    private volatile boolean aheadFails;
    private volatile boolean aheadWaits;

    private record Read(String file, String thread, long position) {}

    @Override
    public FSDataInputStream open(org.apache.hadoop.fs.Path path, int bufferSize)
        throws IOException {
      FSDataInputStream in = super.open(path, bufferSize);
      return new FSDataInputStream(
          new FSInputStream() {
            @Override
            public int read(byte[] target, int offset, int length) throws IOException {
              String thread = Thread.currentThread().getName();
              if (aheadWaits && thread.equals(READ_AHEAD)) {
                await();
              }
              if (aheadFails && thread.equals(READ_AHEAD)) {
                throw new IOException("lost");
              }
              reads.add(new Read(path.getName(), thread, in.getPos()));
              return in.read(target, offset, length);
            }

            private void await() throws IOException {
              try {
                gate.await();
              } catch (InterruptedException e) {
                throw new IOException(e);
              }
            }

            @Override
            public int read() throws IOException {
              return in.read();
            }

            @Override
            public void seek(long position) throws IOException {
              in.seek(position);
            }

            @Override
            public long getPos() throws IOException {
              return in.getPos();
            }

            @Override
            public boolean seekToNewSource(long position) {
              return false;
            }

            @Override
            public void close() throws IOException {
              in.close();
            }
          });
    }

    @Override
    public URI getUri() {
      return URI.create("watched:///");
    }

    @Override
    public String getScheme() {
      return "watched";
    }
  }

  @Test
  void bringsTheNextBatchOfAFileThatIsReadInOrder() throws Exception {
    List<PreparedSequence> sequences = WrittenDataset.write(dir, MAX_LENGTH, 8 * BATCH_ROWS);
    try (PreparedDataset dataset = open()) {
      for (int i = 0; i < sequences.size(); i++) {
        assertThat(dataset.read(i)).usingRecursiveComparison().isEqualTo(sequences.get(i));
      }
    }
    assertThat(batchReads(Thread.currentThread().getName())).isEqualTo(1);
    assertThat(batchReads(READ_AHEAD)).isEqualTo(7);
  }

  @Test
  @Timeout(20)
  void readsWhatIsThereWhileTheNextBatchIsOnItsWay() throws Exception {
    List<PreparedSequence> sequences = WrittenDataset.write(dir, MAX_LENGTH, 2 * BATCH_ROWS);
    files.aheadWaits = true;
    try (PreparedDataset dataset = open()) {
      for (int i = 0; i < BATCH_ROWS; i++) {
        assertThat(dataset.read(i)).usingRecursiveComparison().isEqualTo(sequences.get(i));
      }
      assertThat(batchReads(READ_AHEAD)).isZero();
      files.gate.countDown();
      assertThat(dataset.read(BATCH_ROWS))
          .usingRecursiveComparison()
          .isEqualTo(sequences.get(BATCH_ROWS));
    } finally {
      files.aheadWaits = false;
      files.gate.countDown();
    }
    assertThat(batchReads(READ_AHEAD)).isEqualTo(1);
  }

  @Test
  void bringsWhatIsExpected() throws Exception {
    List<PreparedSequence> sequences =
        WrittenDataset.write(dir, MAX_LENGTH, 2 * BATCH_ROWS, 3 * BATCH_ROWS, 3 * BATCH_ROWS);
    long[] later = {60, 17, 3, 41};
    try (PreparedDataset dataset = open()) {
      dataset.read(30);
      files.reads.clear();
      dataset.expect(later);
      for (long index : later) {
        assertThat(dataset.read(index))
            .usingRecursiveComparison()
            .isEqualTo(sequences.get((int) index));
      }
    }
    assertThat(files.reads).isNotEmpty().allMatch(read -> read.thread().equals(READ_AHEAD));
  }

  @Test
  void readsAgainWhatReadAheadCouldNot() throws Exception {
    List<PreparedSequence> sequences = WrittenDataset.write(dir, MAX_LENGTH, 4 * BATCH_ROWS);
    try (PreparedDataset dataset = open()) {
      files.aheadFails = true;
      for (int i = 0; i < sequences.size(); i++) {
        assertThat(dataset.read(i)).usingRecursiveComparison().isEqualTo(sequences.get(i));
      }
    } finally {
      files.aheadFails = false;
    }
    assertThat(batchReads(READ_AHEAD)).isZero();
  }

  @Test
  void readsOnlyTheBatchThatHoldsASequence() throws Exception {
    WrittenDataset.write(dir, MAX_LENGTH, 4 * BATCH_ROWS, 40 * BATCH_ROWS);
    try (PreparedDataset dataset = open()) {
      dataset.read(30 * BATCH_ROWS);
    }
    assertThat(files.reads).noneMatch(read -> read.file().equals("part-00000.arrow"));
    assertThat(batchReads(Thread.currentThread().getName())).isEqualTo(1);
  }

  @Test
  void expectsMoreThanItHolds() throws Exception {
    List<PreparedSequence> sequences = WrittenDataset.write(dir, MAX_LENGTH, 100 * BATCH_ROWS);
    try (PreparedDataset dataset = open()) {
      dataset.expect(LongStream.range(0, 100).map(batch -> batch * BATCH_ROWS).toArray());
      for (int i = 99 * BATCH_ROWS; i >= 0; i -= BATCH_ROWS) {
        assertThat(dataset.read(i)).usingRecursiveComparison().isEqualTo(sequences.get(i));
      }
    }
  }

  private PreparedDataset open() {
    return PreparedDataset.open("watched://" + dir, Split.TRAIN, new Storage(conf));
  }

  /** Record batches read by a thread; the two reads of a footer are of the end of the file. */
  private long batchReads(String thread) {
    return files.reads.stream()
        .filter(read -> read.file().endsWith(".arrow") && read.thread().equals(thread))
        .filter(read -> read.position() < footerStart(read.file()))
        .count();
  }

  private long footerStart(String file) {
    return WrittenDataset.footerStart(dir.resolve(file));
  }
}
