package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A file as the hub lists it.
 *
 * @param path in the repository
 * @param sha256 of the content, for files in large-file storage; else null
 * @param gitSha1 of the content behind git's header, for all others
 */
record HubFile(String path, long bytes, String sha256, String gitSha1) {

  /** Makes sure that the file lies below whatever folder it is put into. */
  HubFile {
    for (String segment : path.split("/", -1)) {
      if (segment.isEmpty()
          || segment.equals(".")
          || segment.equals("..")
          || segment.chars().anyMatch(c -> c == '\\' || c == ':' || Character.isISOControl(c))) {
        throw new InvalidDataException(
            "The hub lists a file named '"
                + path
                + "', which may lie outside of its folder: do not use this data set.");
      }
    }
  }

  /** Whether the file on disk holds what the hub says. */
  boolean isIn(Path file) throws IOException {
    MessageDigest digest = digest(sha256 == null ? "SHA-1" : "SHA-256");
    if (sha256 == null) {
      digest.update(("blob " + bytes + "\0").getBytes(StandardCharsets.UTF_8));
    }
    try (InputStream in = Files.newInputStream(file)) {
      byte[] chunk = new byte[1 << 16];
      for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
        digest.update(chunk, 0, read);
      }
    }
    String found = HexFormat.of().formatHex(digest.digest());
    return found.equals(sha256 == null ? gitSha1 : sha256);
  }

  private static MessageDigest digest(String algorithm) {
    try {
      return MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has " + algorithm, e);
    }
  }
}
