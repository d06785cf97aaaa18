package dev.anneal.storage;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.util.functional.FutureIO;

/**
 * Files under local paths and Hadoop URIs. It travels to executors together with its Hadoop
 * configuration.
 */
public final class Storage implements Serializable {
  private static final long serialVersionUID = 1L;

  // their connectors upload what is written and make the object when the stream is closed; others,
  // such as ABFS, may show a file from its first byte on
  private static final Set<String> APPEAR_ON_CLOSE =
      Set.of("s3a", "s3", "gs", "oss", "cosn", "obs");

  // names of Hadoop's that older ones lack as constants, and pass over where they are given
  private static final String READ_POLICY = "fs.option.openfile.read.policy";
  private static final String CONDITIONAL_OVERWRITE = "fs.option.create.conditional.overwrite";

  private transient Configuration conf;

  public Storage(Configuration conf) {
    this.conf = conf;
  }

  /**
   * A file as its folder lists it.
   *
   * @param modified in milliseconds since the epoch; 0 where the path alone tells the content
   */
  public record FileInfo(String uri, long bytes, long modified) implements Serializable {
    public FileInfo(String uri, long bytes) {
      this(uri, bytes, 0);
    }
  }

  /** What {@link #write} puts into a file. */
  @FunctionalInterface
  public interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  /** The location with scheme and absolute path, so that it means the same on every machine. */
  public String qualify(String location) throws IOException {
    Path path;
    try {
      path = new Path(location);
    } catch (IllegalArgumentException e) {
      throw new IOException(e.getMessage(), e);
    }
    return fileSystem(path).makeQualified(path).toString();
  }

  /** Whether the file or folder is there. */
  public boolean exists(String location) throws IOException {
    Path path = new Path(location);
    return fileSystem(path).exists(path);
  }

  /** Size of the file in bytes. */
  public long size(String location) throws IOException {
    Path path = new Path(location);
    return fileSystem(path).getFileStatus(path).getLen();
  }

  /** Opens the file to be read from its start to its end. */
  public InputStream open(String location) throws IOException {
    return openFile(location, "whole-file");
  }

  /** Opens the file at a position, to be read on from there. */
  public InputStream open(String location, long position) throws IOException {
    FSDataInputStream in = openFile(location, "sequential");
    try {
      in.seek(position);
      return in;
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  /** What readers of other libraries take to open the same files. */
  public Configuration configuration() {
    return conf;
  }

  /** Opens the file for reading at any position. */
  public SeekableByteChannel openChannel(String location) throws IOException {
    Path path = new Path(location);
    FileSystem fs = fileSystem(path);
    if (isLocal(fs)) {
      requireRegular(localPath(fs, path));
      return FileChannel.open(localPath(fs, path), StandardOpenOption.READ);
    }
    // with its status at hand, an object store is not asked for it again
    FileStatus status = fs.getFileStatus(path);
    FSDataInputStream in =
        FutureIO.awaitFuture(
            fs.openFile(path).opt(READ_POLICY, "random").withFileStatus(status).build());
    return new HadoopChannel(in, location, status.getLen());
  }

  private FSDataInputStream openFile(String location, String readPolicy) throws IOException {
    Path path = new Path(location);
    FileSystem fs = fileSystem(path);
    if (isLocal(fs)) {
      requireRegular(localPath(fs, path));
    }
    return FutureIO.awaitFuture(fs.openFile(path).opt(READ_POLICY, readPolicy).build());
  }

  /**
   * Makes sure that reading a local file comes to an end, as it may not with a pipe or a device.
   *
   * @throws NotRegularException if there is something else than a file or a folder
   */
  public static void requireRegular(java.nio.file.Path file) throws IOException {
    if (Files.exists(file) && !Files.isRegularFile(file) && !Files.isDirectory(file)) {
      throw new NotRegularException("it", null);
    }
  }

  /** Something is a pipe, a socket or a device. */
  public static final class NotRegularException extends IOException {
    private static final long serialVersionUID = 1L;

    /**
     * @param what its name
     */
    public NotRegularException(String what, IOException cause) {
      super(what + " is no regular file, but a pipe, a socket or a device", cause);
    }
  }

  /**
   * Writes a file that appears under its name only when it is complete, also when two attempts of a
   * task write it at once, and never when {@code content} fails. Stores whose objects appear on
   * close do that by themselves; elsewhere the file gets its name when it is complete. Local file
   * systems and HDFS replace an older one in the same step, others lack it for that moment.
   */
  public void write(String location, Content content) throws IOException {
    Path path = new Path(location);
    FileSystem fs = fileSystem(path);
    if (appearsOnClose(fs)) {
      writeObject(fs, path, content);
      return;
    }
    Path part = new Path(path.getParent(), "." + path.getName() + "." + UUID.randomUUID());
    try {
      try (OutputStream out = createFile(fs, part)) {
        content.writeTo(out);
      }
      replace(fs, part, path);
    } finally {
      fs.delete(part, false);
    }
  }

  private void replace(FileSystem fs, Path part, Path path) throws IOException {
    switch (fs.getUri().getScheme()) {
      // a move of Hadoop's that replaces would remove the old file first
      case "file" ->
          Files.move(localPath(fs, part), localPath(fs, path), StandardCopyOption.ATOMIC_MOVE);
      case "hdfs", "viewfs" ->
          FileContext.getFileContext(fs.getUri(), conf)
              .rename(part, path, Options.Rename.OVERWRITE);
      default -> {
        // what FileContext does there as well, but with a connection of its own for every file
        fs.delete(path, false);
        if (!fs.rename(part, path)) {
          throw new IOException("%s cannot be renamed to %s".formatted(part, path));
        }
      }
    }
  }

  private static void writeObject(FileSystem fs, Path path, Content content) throws IOException {
    ObjectStream out = ObjectStream.create(fs, path);
    try {
      content.writeTo(out);
      out.close();
    } catch (IOException | RuntimeException | Error e) {
      out.discard(e);
      throw e;
    }
  }

  /**
   * Opens a file for writing from its start; parent folders appear as needed. An object store shows
   * it when it is closed, unless a write has failed; other file systems show what there is of it.
   */
  public OutputStream create(String location) throws IOException {
    Path path = new Path(location);
    FileSystem fs = fileSystem(path);
    return appearsOnClose(fs) ? ObjectStream.create(fs, path) : createFile(fs, path);
  }

  /**
   * Makes a file that must not be there. HDFS makes sure of that, and S3A where the store knows
   * conditional writes; other connectors may only look before they write.
   *
   * @throws IOException also if it is there, which connectors tell in different ways
   */
  public void createNew(String location, byte[] content) throws IOException {
    Path path = new Path(location);
    FileSystem fs = fileSystem(path);
    FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(path);
    builder.recursive();
    builder.overwrite(false);
    // S3A only looks before it writes unless it is told, and fails if it is told and cannot
    if (fs.hasPathCapability(path, CONDITIONAL_OVERWRITE)) {
      builder.opt(CONDITIONAL_OVERWRITE, true);
    }
    try (OutputStream out = builder.build()) {
      out.write(content);
    }
  }

  /**
   * Opens a file for writing at its end. Of a local one nothing is held back, so that what a full
   * disk has refused is not written later.
   *
   * @throws UnsupportedOperationException on an object store
   */
  public FSDataOutputStream append(String location) throws IOException {
    Path path = new Path(location);
    FileSystem fs = fileSystem(path);
    return isLocal(fs)
        ? new FSDataOutputStream(
            Files.newOutputStream(localPath(fs, path), StandardOpenOption.APPEND), null)
        : fs.append(path);
  }

  private static OutputStream createFile(FileSystem fs, Path path) throws IOException {
    OutputStream out = fs.create(path, true);
    return isLocal(fs) ? new LocalStream(out, path) : out;
  }

  /** Removes the file if it is there. */
  public void delete(String location) throws IOException {
    Path path = new Path(location);
    fileSystem(path).delete(path, false);
  }

  /**
   * The files that a path, URI or glob names, sorted by path. A folder stands for the files in it,
   * without those whose name begins with {@code .} or {@code _}.
   *
   * @return an empty list where nothing matches
   */
  public List<FileInfo> list(String pattern) throws IOException {
    Path path = new Path(pattern);
    FileSystem fs = fileSystem(path);
    List<FileInfo> files = new ArrayList<>();
    for (FileStatus match : matches(fs, path)) {
      List<FileStatus> found =
          match.isDirectory()
              ? Arrays.stream(fs.listStatus(match.getPath())).filter(Storage::isVisible).toList()
              : List.of(match);
      for (FileStatus file : found) {
        if (file.isFile()) {
          if (isLocal(fs)) {
            requireRegular(localPath(fs, file.getPath()));
          }
          files.add(
              new FileInfo(file.getPath().toString(), file.getLen(), file.getModificationTime()));
        }
      }
    }
    files.sort(Comparator.comparing(FileInfo::uri));
    return files;
  }

  /** One sentence for a location that cannot be read. */
  public static String cannotRead(String location, Exception cause) {
    if (cause instanceof AccessControlException
        || String.valueOf(cause.getMessage()).contains("ermission denied")) {
      return "No permission to read '" + location + "': grant it or choose another place.";
    }
    if (cause instanceof FileNotFoundException || cause instanceof NoSuchFileException) {
      return "'" + location + "' does not exist: check the path.";
    }
    return "'" + location + "' cannot be read (" + cause.getMessage() + "): check the path.";
  }

  private static FileStatus[] matches(FileSystem fs, Path path) throws IOException {
    if (fs.exists(path)) {
      return new FileStatus[] {fs.getFileStatus(path)};
    }
    FileStatus[] matches = fs.globStatus(path);
    return matches == null ? new FileStatus[0] : matches;
  }

  private static boolean isVisible(FileStatus file) {
    String name = file.getPath().getName();
    return !name.startsWith(".") && !name.startsWith("_");
  }

  // The checksum file that Hadoop puts beside every local file would clutter the output folder.
  FileSystem fileSystem(Path path) throws IOException {
    try {
      FileSystem fs = path.getFileSystem(conf);
      return fs instanceof LocalFileSystem local ? local.getRawFileSystem() : fs;
    } catch (RuntimeException e) {
      if (e.getCause() instanceof ClassNotFoundException) {
        // Hadoop names S3A and others as its own, and has them in jars of their own
        throw new IOException(
            "the connector for %s: is not on the class path, hand it over with --jars"
                .formatted(path.toUri().getScheme()),
            e);
      }
      throw e;
    }
  }

  /** Whether a folder is renamed at once and whole, which only these are known to do always. */
  public static boolean renamesInOneStep(FileSystem fs) {
    return isLocal(fs) || "hdfs".equals(fs.getUri().getScheme());
  }

  private static boolean appearsOnClose(FileSystem fs) {
    return APPEAR_ON_CLOSE.contains(fs.getUri().getScheme());
  }

  private static boolean isLocal(FileSystem fs) {
    return "file".equals(fs.getUri().getScheme());
  }

  private static java.nio.file.Path localPath(FileSystem fs, Path path) {
    return java.nio.file.Path.of(fs.makeQualified(path).toUri().getPath());
  }

  private void writeObject(ObjectOutputStream out) throws IOException {
    out.defaultWriteObject();
    conf.write(out);
  }

  private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
    in.defaultReadObject();
    conf = new Configuration(false);
    conf.readFields(in);
  }
}
