package dev.anneal.storage;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Collectors;

/** A SHA-256 that is taken piece by piece. */
public final class Sha256 {
  private final MessageDigest digest = digest();

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  /** The digest of a text in UTF-8, 64 hexadecimal digits. */
  public static String of(String text) {
    return HexFormat.of().formatHex(digest().digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  /** A stream whose bytes are counted in on their way. */
  public OutputStream counting(OutputStream out) {
    return new DigestOutputStream(out, digest);
  }

  /** Adds a line of values with tabs between them, as UTF-8. */
  public void addLine(Object... values) {
    String line = Arrays.stream(values).map(String::valueOf).collect(Collectors.joining("\t"));
    digest.update((line + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /** The digest of what was added since the last one, 64 hexadecimal digits. */
  public String hex() {
    return HexFormat.of().formatHex(digest.digest());
  }
}
