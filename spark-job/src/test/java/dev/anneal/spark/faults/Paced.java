package dev.anneal.spark.faults;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A run whose steps take longer than they need, so that enough can be done to it on any machine.
 */
final class Paced {
  private final Path folder;
  private final String javaAgent;

  private Paced(Path folder, String javaAgent) {
    this.folder = folder;
    this.javaAgent = javaAgent;
  }

  /** Prepares it, with files of its own in {@code parent}. */
  static Paced in(Path parent) throws IOException {
    Path folder = Files.createTempDirectory(parent, "paced");
    String rule =
        """
        RULE pace
        CLASS dev.anneal.training.model.LlamaLayer
        METHOD forward
        HELPER %s
        AT ENTRY
        IF TRUE
        DO pace("%s")
        ENDRULE
        """
            .formatted(PaceHelper.class.getName(), folder);
    return new Paced(folder, Held.javaAgent(folder, rule, PaceHelper.class));
  }

  /** What the JVMs are to be started with. */
  String javaAgent() {
    return javaAgent;
  }

  /** Lets it run as fast as it can. */
  void release() throws IOException {
    Files.createFile(folder.resolve(PaceHelper.RELEASE));
  }
}
