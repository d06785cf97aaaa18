package dev.anneal.data.hub;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Takes the checksum of a file, front to back, that the hub has for it. */
public final class HubDigest {
  private final HubFile file;
  private final MessageDigest digest;

  /** Begins with nothing. */
  public HubDigest(HubFile file) {
    this.file = file;
    this.digest = digest(file.sha256() == null ? "SHA-1" : "SHA-256");
    if (file.sha256() == null) {
      // a blob of git's is its content behind this
      digest.update(("blob " + file.bytes() + "\0").getBytes(StandardCharsets.UTF_8));
    }
  }

  /** Adds what comes next in the file. */
  public void update(byte[] bytes, int offset, int length) {
    digest.update(bytes, offset, length);
  }

  /** Adds what comes next in the file. */
  public void update(ByteBuffer bytes) {
    digest.update(bytes);
  }

  /** Whether all that was added is the file; ends the digest. */
  public boolean matches() {
    String found = HexFormat.of().formatHex(digest.digest());
    return found.equals(file.sha256() == null ? file.gitSha1() : file.sha256());
  }

  /**
   * Makes sure that all that was added is the file; ends the digest.
   *
   * @throws IOException if it is not
   */
  public void requireMatch() throws IOException {
    if (!matches()) {
      throw mismatch(file);
    }
  }

  /** What is said of a file that is not what the hub says. */
  public static IOException mismatch(HubFile file) {
    return new IOException("'" + file.path() + "' came with another checksum than the hub says");
  }

  private static MessageDigest digest(String algorithm) {
    try {
      return MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has " + algorithm, e);
    }
  }
}
