package dev.anneal.storage;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** What Git leaves in the place of a file that Git LFS holds and that was not fetched. */
public final class LfsPointer {
  private static final String FIRST_LINE = "version https://git-lfs.github.com/spec/";

  private LfsPointer() {}

  /** Whether a file that begins with this text is one. */
  public static boolean is(String text) {
    return text.startsWith(FIRST_LINE);
  }

  /** Whether a stream begins as one does; the stream stays where it is. */
  public static boolean is(BufferedInputStream in) throws IOException {
    in.mark(FIRST_LINE.length());
    byte[] start = in.readNBytes(FIRST_LINE.length());
    in.reset();
    return is(new String(start, StandardCharsets.ISO_8859_1));
  }

  /** The sentence that refuses it. */
  public static String sentence(String location) {
    return "'"
        + location
        + "' is a Git LFS pointer and not the file itself: fetch it with 'git lfs pull', or download"
        + " it again.";
  }
}
