package dev.anneal.training;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** The reference runs that lie beside the checkout. */
public final class SharedFiles {
  private SharedFiles() {}

  /** Skips the calling test where the folder is missing; on CI it must be there. */
  public static Path tinyLlama() {
    Path folder = Path.of(System.getProperty("anneal.shared"), "golden", "tiny-llama31");
    if (!Files.isDirectory(folder) && System.getenv("CI") != null) {
      fail("the reference run is missing: " + folder);
    }
    assumeTrue(Files.isDirectory(folder), "no reference run at " + folder);
    return folder;
  }
}
