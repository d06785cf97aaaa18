package dev.anneal.spark.storage;

import dev.anneal.data.task.TaskResults;
import dev.anneal.storage.Storage;
import dev.anneal.training.io.Sha256;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.JavaSparkContext;

/** Reads files again, on the cluster, to see whether they are as written. */
public final class FileAudit {
  private static final int BUFFER_BYTES = 1 << 20;

  private FileAudit() {}

  /**
   * A file as it was written.
   *
   * @param sha256 in hexadecimal digits
   */
  public record Suspect(String location, String sha256) implements Serializable {}

  /** The location of the first file that is not as it was written; empty where all are. */
  public static Optional<String> firstAltered(
      JavaSparkContext spark, Storage storage, List<Suspect> suspects) {
    return TaskResults.collect(
            spark
                .parallelize(suspects, suspects.size())
                .filter(suspect -> !sha256(storage, suspect.location()).equals(suspect.sha256()))
                .map(Suspect::location))
        .stream()
        .findFirst();
  }

  private static String sha256(Storage storage, String location) throws IOException {
    MessageDigest digest = Sha256.digest();
    try (InputStream in = new DigestInputStream(storage.open(location), digest)) {
      byte[] buffer = new byte[BUFFER_BYTES];
      while (in.read(buffer) >= 0) {}
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
