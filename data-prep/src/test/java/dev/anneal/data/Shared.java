package dev.anneal.data;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** Reference data that lies beside the checkout. */
public final class Shared {
  private Shared() {}

  /** The file; without it the test is skipped, but never on the build server. */
  public static Path file(String name) {
    Path path = Path.of(System.getProperty("anneal.shared")).resolve(name).normalize();
    if (System.getenv("CI") == null) {
      assumeTrue(Files.exists(path), () -> path + " is not there");
    } else if (!Files.exists(path)) {
      throw new AssertionError(path + " is not there");
    }
    return path;
  }

  public static Path llamaTokenizer() {
    return file("data/llama31-tokenizer");
  }

  public static Path alpaca() {
    return file("data/alpaca_random_9k.json");
  }
}
