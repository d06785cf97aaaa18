package dev.anneal.training.io;

import dev.anneal.training.InvalidModelException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** What Git leaves in the place of a file that Git LFS holds and that was not fetched. */
final class LfsPointer {
  private static final byte[] START =
      "version https://git-lfs.github.com/spec/".getBytes(StandardCharsets.US_ASCII);

  private LfsPointer() {}

  /**
   * Makes sure that the start of a file is not that of a pointer; eight bytes are enough to tell.
   *
   * @param where what messages call the file
   */
  static void refuse(ByteBuffer start, String where) {
    int length = Math.min(start.remaining(), START.length);
    ByteBuffer pointer = ByteBuffer.wrap(START, 0, length);
    if (length >= Long.BYTES && start.slice(start.position(), length).equals(pointer)) {
      throw new InvalidModelException(
          where
              + " is a Git LFS pointer and not the file itself: fetch it with 'git lfs pull', or"
              + " download it again.");
    }
  }
}
