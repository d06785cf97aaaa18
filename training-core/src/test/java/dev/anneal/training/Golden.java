package dev.anneal.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.anneal.training.io.LocalModelFolder;
import java.nio.file.Files;
import java.nio.file.Path;

/** The reference run of a three-layer Llama 3.1, as PyTorch, transformers and PEFT computed it. */
public final class Golden {

  private Golden() {}

  /** Its {@code file}; where the reference data are not at hand the test is skipped. */
  public static Path path(String file) {
    Path golden = Path.of(System.getProperty("anneal.shared"), "golden", "tiny-llama31");
    if (System.getenv("CI") != null) {
      assertThat(golden).isDirectory();
    }
    assumeTrue(Files.isDirectory(golden), () -> "no reference data at " + golden);
    return golden.resolve(file);
  }

  /** Its {@code folder}: {@code model}, {@code adapter_init} or {@code adapter_final}. */
  public static LocalModelFolder folder(String folder) {
    return new LocalModelFolder(path(folder));
  }
}
