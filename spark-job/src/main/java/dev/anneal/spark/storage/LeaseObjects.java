package dev.anneal.spark.storage;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options.CreateFileOptionKeys;
import org.apache.hadoop.fs.Path;

/** The objects below {@code run.lock/}: what {@link GenerationLease} needs of a store. */
final class LeaseObjects {
  /** The last beat of a run that has ended in good order. */
  static final String LEFT = "left";

  private final RunFolder folder;

  LeaseObjects(RunFolder folder) {
    this.folder = folder;
  }

  /** The one that says who a generation is; written once. */
  static String claim(int generation) {
    return String.format(Locale.ROOT, "%s/%08d.json", RunFolder.LOCK, generation);
  }

  /** The one that a generation rewrites as long as it lives. */
  static String beat(int generation) {
    return String.format(Locale.ROOT, "%s/%08d.beat", RunFolder.LOCK, generation);
  }

  Optional<String> read(String name) throws IOException {
    try {
      return Optional.of(new String(folder.read(name), UTF_8));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    }
  }

  /**
   * Makes an object that must not be there. HDFS makes sure of that, and S3A where the store knows
   * conditional writes; other connectors may only look before they write.
   *
   * @throws IOException also if it is there, which connectors tell in different ways
   */
  void createNew(String name, String content) throws IOException {
    Path path = new Path(folder.child(name));
    FileSystem fs = folder.fileSystem(path);
    FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(path);
    builder.recursive();
    builder.overwrite(false);
    // S3A only looks before it writes unless it is told, and fails if it is told and cannot
    String conditional = CreateFileOptionKeys.FS_OPTION_CREATE_CONDITIONAL_OVERWRITE;
    if (fs.hasPathCapability(path, conditional)) {
      builder.opt(conditional, true);
    }
    try (OutputStream out = builder.build()) {
      out.write(content.getBytes(UTF_8));
    }
  }

  void write(String name, String content) throws IOException {
    folder.write(name, content.getBytes(UTF_8));
  }
}
