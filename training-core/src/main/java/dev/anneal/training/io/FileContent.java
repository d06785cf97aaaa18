package dev.anneal.training.io;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;

/** What goes into a file, front to back. */
@FunctionalInterface
public interface FileContent {

  /** Writes all of it; {@code out} stays open. */
  void writeTo(OutputStream out) throws IOException;

  /** {@code text} in UTF-8. */
  static FileContent text(String text) {
    return out -> out.write(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Writes it as {@code file} of {@code folder} and tells what that has become. */
  default WrittenFile writeAs(OutputFolder folder, String file) throws IOException {
    MessageDigest sha256 = Sha256.digest();
    Counted counted = new Counted(folder.create(file), sha256);
    try (counted) {
      writeTo(counted);
    }
    return new WrittenFile(file, counted.bytes, HexFormat.of().formatHex(sha256.digest()));
  }

  /** Counts and digests what passes. */
  final class Counted extends FilterOutputStream {
    private final MessageDigest digest;
    private long bytes;

    private Counted(OutputStream out, MessageDigest digest) {
      super(out);
      this.digest = digest;
    }

    @Override
    public void write(int b) throws IOException {
      out.write(b);
      digest.update((byte) b);
      bytes++;
    }

    @Override
    public void write(byte[] b, int offset, int length) throws IOException {
      out.write(b, offset, length);
      digest.update(b, offset, length);
      bytes += length;
    }
  }
}
