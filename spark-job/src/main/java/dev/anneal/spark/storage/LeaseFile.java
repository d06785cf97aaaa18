package dev.anneal.spark.storage;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Optional;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.Path;

/** The file {@code run.lock}: what a lease needs of a file system. */
final class LeaseFile {
  // S3A then asks the store itself whether the object is new
  private static final String CONDITIONAL = "fs.option.create.conditional.overwrite";

  private final RunFolder folder;

  LeaseFile(RunFolder folder) {
    this.folder = folder;
  }

  Optional<byte[]> read() throws IOException {
    try {
      // java.io, which Hadoop opens local files with, calls every failure a missing file
      return Optional.of(
          folder.isLocal() ? Files.readAllBytes(localPath()) : folder.read(RunFolder.LOCK));
    } catch (FileNotFoundException | NoSuchFileException e) {
      return Optional.empty();
    }
  }

  /**
   * Makes the file unless it is there.
   *
   * @return whether it was made; on a store that cannot make sure of that, another may be writing
   *     it at the same time
   */
  boolean createNew(byte[] content) throws IOException {
    return folder.isLocal() ? createLocal(localPath(), content) : createRemote(content);
  }

  private Path path() {
    return new Path(folder.child(RunFolder.LOCK));
  }

  private java.nio.file.Path localPath() {
    return java.nio.file.Path.of(path().toUri().getPath());
  }

  private static boolean createLocal(java.nio.file.Path path, byte[] content) throws IOException {
    Files.createDirectories(path.getParent());
    try (OutputStream out = Files.newOutputStream(path, StandardOpenOption.CREATE_NEW)) {
      out.write(content);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
  }

  private boolean createRemote(byte[] content) throws IOException {
    Path path = path();
    FSDataOutputStreamBuilder<?, ?> builder = folder.fileSystem(path).createFile(path);
    builder.recursive();
    builder.overwrite(false);
    builder.opt(CONDITIONAL, true);
    try (OutputStream out = builder.build()) {
      out.write(content);
    } catch (IOException e) {
      Optional<byte[]> there = read();
      if (there.isEmpty()) {
        throw e;
      }
      return Arrays.equals(there.get(), content);
    }
    return true;
  }

  void replace(byte[] content) throws IOException {
    if (!folder.isLocal()) {
      folder.write(RunFolder.LOCK, content);
      return;
    }
    // any other move removes the old file first, and somebody would find none
    java.nio.file.Path next = localPath().resolveSibling("." + RunFolder.LOCK + ".next");
    Files.move(Files.write(next, content), localPath(), StandardCopyOption.ATOMIC_MOVE);
  }

  void delete() throws IOException {
    folder.delete(RunFolder.LOCK);
  }
}
