package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubFile;
import java.io.Serializable;
import java.util.Map;

/** What a task does for a file on an object store. */
sealed interface FetchWork extends Serializable {
  HubFile file();

  /**
   * Sends parts that follow one another to an upload.
   *
   * @param upload what tells it
   * @param first number of the first part, from 1
   * @param parts how many
   */
  record Upload(HubFile file, byte[] upload, int first, int parts, long partBytes)
      implements FetchWork {
    private static final long serialVersionUID = 1L;

    /** Place of a part's first byte. */
    long start(int part) {
      return (part - 1) * partBytes;
    }

    /** Behind the last byte of a part. */
    long end(int part) {
      return Math.min(file.bytes(), part * partBytes);
    }

    boolean isLast(int part) {
      return end(part) == file.bytes();
    }
  }

  /** Reads a file of several parts again and takes its checksum. */
  record Verify(HubFile file) implements FetchWork {
    private static final long serialVersionUID = 1L;
  }

  /** Copies a file as a whole, and takes its checksum on the way. */
  record Copy(HubFile file) implements FetchWork {
    private static final long serialVersionUID = 1L;
  }

  /**
   * What came of it.
   *
   * @param path of the file
   * @param parts that were sent, with what tells them
   * @param fetchedBytes that came from the hub
   * @param matches whether the checksum, if one was taken, is that of the hub; of parts, whether
   *     the store still knows their upload
   * @param sha256 that the content came with, where the listing has none; else null
   */
  record Outcome(
      String path, Map<Integer, byte[]> parts, long fetchedBytes, boolean matches, String sha256)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    Outcome(String path, long fetchedBytes, boolean matches) {
      this(path, Map.of(), fetchedBytes, matches, null);
    }
  }
}
