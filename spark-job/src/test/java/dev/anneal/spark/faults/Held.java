package dev.anneal.spark.faults;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.jboss.byteman.agent.Main;

/**
 * The first process that enters a phase stays there: a thread of it waits in a method, which
 * Byteman changes for that while the class is loaded. Processes that enter the phase later, like
 * those of the next attempt, pass.
 */
final class Held {
  static final String NEWS = "held";
  static final String RELEASE = "release";
  static final String GONE_ON = "gone-on";

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private final Path folder;
  private final String javaAgent;

  private Held(Path folder, String javaAgent) {
    this.folder = folder;
    this.javaAgent = javaAgent;
  }

  /**
   * A place in the program.
   *
   * @param type full name of the class
   * @param thread how the thread's name begins
   * @param time of all calls of the method by such threads in one process, the one that stays
   */
  record Phase(String type, String method, String thread, int time) {}

  /** Prepares it, with files of its own in {@code parent}. */
  static Held in(Phase phase, Path parent) throws IOException {
    Path folder = Files.createTempDirectory(parent, "held");
    String rule =
        """
        RULE hold
        CLASS %s
        METHOD %s
        HELPER %s
        AT ENTRY
        IF comes("%s", %s)
        DO hold("%s")
        ENDRULE
        """
            .formatted(
                phase.type(),
                phase.method(),
                HoldHelper.class.getName(),
                phase.thread(),
                phase.time(),
                folder);
    return new Held(folder, javaAgent(folder, rule, HoldHelper.class));
  }

  /**
   * The option of a JVM in which Byteman follows a rule.
   *
   * @param folder for its files
   * @param helper that the rule calls
   */
  static String javaAgent(Path folder, String rule, Class<?> helper) throws IOException {
    Path rules = Files.writeString(folder.resolve("rules.btm"), rule);
    return "-javaagent:%s=script:%s,sys:%s"
        .formatted(byteman(), rules, jar(folder.resolve("helper.jar"), helper));
  }

  /** What the JVMs are to be started with. */
  String javaAgent() {
    return javaAgent;
  }

  /** Waits until a process is in the phase; returns it. */
  ProcessHandle await() throws Exception {
    Path news = folder.resolve(NEWS);
    Await.until(
        PATIENCE,
        () -> "no process came into the phase",
        () -> Files.exists(news) && Files.size(news) > 0);
    return ProcessHandle.of(Long.parseLong(Files.readString(news))).orElseThrow();
  }

  /** Lets it go on. */
  void release() {
    try {
      Files.createFile(folder.resolve(RELEASE));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Whether it has gone on since. */
  boolean hasGoneOn() {
    return Files.exists(folder.resolve(GONE_ON));
  }

  private static Path byteman() {
    return Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().getPath());
  }

  private static Path jar(Path jar, Class<?>... classes) throws IOException {
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file)) {
      for (Class<?> each : classes) {
        String name = each.getName().replace('.', '/') + ".class";
        out.putNextEntry(new JarEntry(name));
        each.getClassLoader().getResourceAsStream(name).transferTo(out);
      }
    }
    return jar;
  }
}
