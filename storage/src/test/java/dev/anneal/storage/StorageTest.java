package dev.anneal.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.anneal.storage.Storage.FileInfo;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Abortable;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class StorageTest {
  @TempDir Path dir;

  private final Storage storage = new Storage(new Configuration());

  @Test
  void listsAFolderAGlobOrAFileInOrder() throws Exception {
    for (String name : new String[] {"b.json", "a.json", "_temporary", ".hidden", "c.txt"}) {
      Files.writeString(dir.resolve(name), name);
    }
    assertThat(storage.list(dir.toString()))
        .map(StorageTest::name)
        .containsExactly("a.json", "b.json", "c.txt");
    assertThat(storage.list(dir + "/*.json"))
        .map(StorageTest::name)
        .containsExactly("a.json", "b.json");
    assertThat(storage.list("file:" + dir + "/c.txt"))
        .map(StorageTest::name)
        .containsExactly("c.txt");
    assertThat(storage.list(dir + "/d*")).isEmpty();
  }

  @Test
  void doesNotWaitForAPipe() throws Exception {
    Path pipe = dir.resolve("rows.json");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    for (Executable look :
        List.<Executable>of(
            () -> storage.list(dir.toString()),
            () -> storage.list(pipe.toString()),
            () -> storage.open(pipe.toString()).close(),
            () -> storage.openChannel(pipe.toString()).close())) {
      assertTimeoutPreemptively(
          Duration.ofSeconds(30),
          () -> assertThatThrownBy(look::execute).hasMessageContaining("it is no regular file"));
    }
  }

  @Test
  void saysWhichConnectorIsMissing() {
    assertThatThrownBy(() -> storage.list("s3a://bucket/rows.json"))
        .isInstanceOf(IOException.class)
        .hasMessage("the connector for s3a: is not on the class path, hand it over with --jars");
  }

  @Test
  void replacesAFileAtOnceAndLeavesNothingBeside() throws Exception {
    String location = dir + "/new/file";
    storage.write(location, out -> out.write(1));
    storage.write(location, out -> out.write(2));

    assertThat(Files.readAllBytes(Path.of(location))).containsExactly(2);
    assertThat(names(dir.resolve("new"))).containsExactly("file");
  }

  @Test
  void keepsTheOldFileWhenWritingFails() throws Exception {
    String location = dir + "/file";
    storage.write(location, out -> out.write(1));
    assertThatThrownBy(
            () ->
                storage.write(
                    location,
                    out -> {
                      out.write(2);
                      throw new IOException("disk full");
                    }))
        .hasMessage("disk full");

    assertThat(Files.readAllBytes(Path.of(location))).containsExactly(1);
    assertThat(names(dir)).containsExactly("file");
  }

  /** A store that publishes an object on close; its streams can be aborted if so configured. */
  public static final class ObjectStore extends RawLocalFileSystem {
    @Override
    public URI getUri() {
      return URI.create("gs:///");
    }

    @Override
    public String getScheme() {
      return "gs";
    }

    @Override
    public FSDataOutputStream create(
        org.apache.hadoop.fs.Path path,
        FsPermission permission,
        boolean overwrite,
        int bufferSize,
        short replication,
        long blockSize,
        Progressable progress)
        throws IOException {
      Path file = Path.of(path.toUri().getPath());
      boolean abortable = getConf().getBoolean("gs.abortable", false);
      return new FSDataOutputStream(new ObjectStream(file, abortable), null);
    }
  }

  private static final class ObjectStream extends ByteArrayOutputStream
      implements Abortable, StreamCapabilities {
    private final Path file;
    private final boolean abortable;
    private boolean aborted;

    ObjectStream(Path file, boolean abortable) {
      this.file = file;
      this.abortable = abortable;
    }

    @Override
    public boolean hasCapability(String capability) {
      return abortable && capability.equals(ABORTABLE_STREAM);
    }

    @Override
    public AbortableResult abort() {
      aborted = true;
      return null;
    }

    @Override
    public void close() throws IOException {
      if (!aborted) {
        Files.write(file, toByteArray());
      }
    }
  }

  @Test
  void publishesNoObjectWhenWritingFails() throws Exception {
    for (boolean abortable : new boolean[] {true, false}) {
      Configuration conf = new Configuration();
      conf.setClass("fs.gs.impl", ObjectStore.class, FileSystem.class);
      conf.setBoolean("fs.gs.impl.disable.cache", true);
      conf.setBoolean("gs.abortable", abortable);
      Storage store = new Storage(conf);
      String location = "gs://" + dir + "/object";
      store.write(location, out -> out.write(1));
      assertThat(Files.readAllBytes(dir.resolve("object"))).containsExactly(1);

      assertThatThrownBy(
              () ->
                  store.write(
                      location,
                      out -> {
                        out.write(2);
                        throw new IllegalStateException("killed");
                      }))
          .hasMessage("killed");

      assertThat(Files.readAllBytes(dir.resolve("object"))).containsExactly(1);
    }
  }

  /** A file system that shows a file from its first byte on, as ABFS does. */
  public static final class ShownAtOnce extends RawLocalFileSystem {
    @Override
    public URI getUri() {
      return URI.create("shown:///");
    }

    @Override
    public String getScheme() {
      return "shown";
    }

    @Override
    public boolean rename(org.apache.hadoop.fs.Path from, org.apache.hadoop.fs.Path to)
        throws IOException {
      return !exists(to) && super.rename(from, to);
    }
  }

  @Test
  void namesAFileThatWouldBeShownAtOnceWhenItIsComplete() throws Exception {
    Configuration conf = new Configuration();
    conf.setClass("fs.shown.impl", ShownAtOnce.class, FileSystem.class);
    assertWrittenWholeOrNotAtAll(new Storage(conf), "shown://" + dir + "/file");
    assertThat(names(dir)).containsExactly("file");
  }

  @Test
  void namesAFileBelowAMountPointWhenItIsComplete() throws Exception {
    Configuration conf = new Configuration();
    conf.set("fs.viewfs.mounttable.cluster.link./runs", dir.toUri().toString());
    assertWrittenWholeOrNotAtAll(new Storage(conf), "viewfs://cluster/runs/file");
    assertThat(names(dir).filter(name -> !name.endsWith(".crc"))).containsExactly("file");
  }

  private void assertWrittenWholeOrNotAtAll(Storage files, String location) throws IOException {
    Path file = dir.resolve("file");
    files.write(location, out -> out.write(1));
    files.write(
        location,
        out -> {
          out.write(2);
          out.flush();
          assertThat(Files.readAllBytes(file)).containsExactly(1);
        });
    assertThat(Files.readAllBytes(file)).containsExactly(2);
    assertThatThrownBy(
            () ->
                files.write(
                    location,
                    out -> {
                      out.write(3);
                      throw new IOException("gone");
                    }))
        .hasMessage("gone");
    assertThat(Files.readAllBytes(file)).containsExactly(2);
  }

  @Test
  void travelsWithItsConfiguration() throws Exception {
    Configuration conf = new Configuration(false);
    conf.set("fs.defaultFS", "file:///");
    conf.set("fs.file.impl", "org.apache.hadoop.fs.LocalFileSystem");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(new Storage(conf));
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      Storage copy = (Storage) in.readObject();
      assertThat(copy.exists(dir.toString())).isTrue();
      assertThat(copy.qualify("data")).startsWith("file:/").endsWith("/data");
    }
  }

  private static String name(FileInfo file) {
    return Path.of(URI.create(file.uri()).getPath()).getFileName().toString();
  }

  private static Stream<String> names(Path folder) throws IOException {
    try (Stream<Path> paths = Files.list(folder)) {
      return paths.map(path -> path.getFileName().toString()).toList().stream();
    }
  }
}
