package dev.anneal.spark.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Places on a local disk that need not be there yet. */
public final class LocalPlace {
  private LocalPlace() {}

  /** What is there of a place: itself, or the nearest folder above it. */
  public static Path there(Path place) {
    Path there = place.toAbsolutePath().normalize();
    while (!Files.exists(there)) {
      there = there.getParent();
    }
    return there;
  }

  /** The place without links, as far as it is there. */
  public static Path real(Path place) throws IOException {
    Path there = there(place);
    return there.toRealPath().resolve(there.relativize(place.toAbsolutePath().normalize()));
  }
}
