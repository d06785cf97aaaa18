package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A file as the hub lists it.
 *
 * @param path in the repository
 * @param sha256 of the content, for files in large-file storage (LFS or Xet); else null
 * @param gitSha1 of the content behind git's header, for all others
 */
public record HubFile(String path, long bytes, String sha256, String gitSha1)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Makes sure that the file lies below whatever folder it is put into. */
  public HubFile {
    for (String segment : path.split("/", -1)) {
      if (segment.isEmpty()
          || segment.equals(".")
          || segment.equals("..")
          || segment.chars().anyMatch(c -> c == '\\' || c == ':' || Character.isISOControl(c))) {
        throw new InvalidDataException(
            "The hub lists a file named '"
                + path
                + "', which may lie outside of its folder: do not use this repository.");
      }
    }
  }

  /** What tells its content: algorithm and digest. */
  public String checksum() {
    return sha256 == null ? "git-sha1:" + gitSha1 : "sha256:" + sha256;
  }

  /** Whether the file on disk holds what the hub says. */
  boolean isIn(Path file) throws IOException {
    HubDigest digest = new HubDigest(this);
    try (InputStream in = Files.newInputStream(file)) {
      byte[] chunk = new byte[1 << 16];
      for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
        digest.update(chunk, 0, read);
      }
    }
    return digest.matches();
  }
}
