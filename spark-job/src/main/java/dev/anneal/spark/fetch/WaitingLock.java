package dev.anneal.spark.fetch;

import dev.anneal.spark.BadRequestException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A lock of the kernel on a file that stays, so that all who want it mean the same one; it ends
 * with its process.
 */
final class WaitingLock implements AutoCloseable {
  private static final long ROUND_MILLIS = 200;

  private final FileChannel channel;

  private WaitingLock(FileChannel channel) {
    this.channel = channel;
  }

  /**
   * Takes it as soon as nobody has it.
   *
   * @param waiting done once, if somebody has it
   * @throws BadRequestException if its folder cannot be written
   */
  static WaitingLock take(Path file, Runnable waiting) throws IOException {
    FileChannel channel = open(file);
    try {
      boolean told = false;
      while (!isTaken(channel)) {
        if (!told) {
          waiting.run();
          told = true;
        }
        Thread.sleep(ROUND_MILLIS);
      }
      return new WaitingLock(channel);
    } catch (InterruptedException e) {
      channel.close();
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted");
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static FileChannel open(Path file) {
    try {
      Files.createDirectories(file.getParent());
      return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new BadRequestException(
          "%s cannot be written (%s): let this user write there, or choose another folder."
              .formatted(file.getParent(), e),
          e);
    }
  }

  /** Takes the lock of a channel, with which it ends, where nobody has it. */
  static boolean isTaken(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException ofThisProcess) {
      return false;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
