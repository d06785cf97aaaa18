package dev.anneal.spark.fetch;

import dev.anneal.spark.BadRequestException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * Where files of a local fetch wait until they are complete: {@code .anneal-fetch} in the folder
 * that they are fetched to, and so on the same disk. It is one process's at a time, by a lock of
 * the kernel that ends with the process.
 */
final class WorkFolder implements AutoCloseable {
  private static final String LOCK = "lock";

  private final Path target;
  private final Path path;
  private final FileChannel lock;
  private final boolean isNewTarget;

  private WorkFolder(Path target, Path path, FileChannel lock, boolean isNewTarget) {
    this.target = target;
    this.path = path;
    this.lock = lock;
    this.isNewTarget = isNewTarget;
  }

  /**
   * Takes it, with what an earlier fetch has left in it.
   *
   * @throws BadRequestException if another process has it, or nobody can write there
   */
  static WorkFolder take(Path target) {
    boolean isNewTarget = !Files.exists(target);
    Path path = target.resolve(FetchTarget.WORK);
    try {
      Path file = path.resolve(LOCK);
      while (true) {
        Files.createDirectories(path);
        Object before = key(file);
        FileChannel lock =
            FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        if (!WaitingLock.isTaken(lock)) {
          lock.close();
          throw new BadRequestException(
              "Another fetch is at work in %s: wait for it, or choose another folder."
                  .formatted(target));
        }
        // a fetch that has ended meanwhile removed the file, and a lock on that one is nobody's
        if (before != null && before.equals(key(file))) {
          return new WorkFolder(target, path, lock, isNewTarget);
        }
        lock.close();
      }
    } catch (IOException e) {
      throw new BadRequestException(
          "%s cannot be written (%s): choose a folder that this user can write to."
              .formatted(target, e),
          e);
    }
  }

  /** Tells the file from others that had its name; null where there is none. */
  private static Object key(Path file) throws IOException {
    try {
      return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  /** The folder that everything is fetched to. */
  Path target() {
    return target;
  }

  Path path() {
    return path;
  }

  /** Removes what waits here; nobody needs it any more. */
  void clear() throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(path)) {
      for (Path file : files) {
        if (!file.endsWith(LOCK)) {
          Files.delete(file);
        }
      }
    }
  }

  /** Leaves what waits here to the next fetch, and nothing where nothing waits. */
  @Override
  public void close() throws IOException {
    try (lock;
        DirectoryStream<Path> files = Files.newDirectoryStream(path)) {
      for (Path file : files) {
        if (!file.endsWith(LOCK)) {
          return;
        }
      }
      Files.delete(path.resolve(LOCK));
      Files.delete(path);
      if (isNewTarget) {
        Files.delete(target);
      }
    } catch (DirectoryNotEmptyException hasFilesNow) {
      return;
    }
  }
}
