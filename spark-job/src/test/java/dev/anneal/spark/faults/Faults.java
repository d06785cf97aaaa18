package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** What every test of a fault needs: the cluster, and a run that nothing disturbed. */
final class Faults implements AutoCloseable {
  static final int STEPS = 12;
  static final int CHECKPOINT_STEPS = 3;

  private static final List<String> SETTINGS =
      List.of(
          "data.max_length=128",
          "data.packing=false",
          "data.eval_rows=0",
          "lora.r=4",
          "training.micro_batch_size=1",
          "training.max_steps=" + STEPS,
          "checkpoint.every_steps=" + CHECKPOINT_STEPS,
          "cluster.timeout=20");

  private final Path folder;
  private final FaultCluster cluster;
  private final RunOutput undisturbed;

  private Faults(Path folder, FaultCluster cluster, RunOutput undisturbed) {
    this.folder = folder;
    this.cluster = cluster;
    this.undisturbed = undisturbed;
  }

  /**
   * Starts the cluster and lets a run through.
   *
   * @param parent a folder for everything that processes write
   */
  static Faults start(Path parent) throws Exception {
    Path folder =
        Files.createTempDirectory(Files.createDirectories(parent), "run").toAbsolutePath();
    FaultCluster cluster = FaultCluster.start(Files.createDirectory(folder.resolve("spark")), 3);
    Faults faults = new Faults(folder, cluster, new RunOutput(folder.resolve("undisturbed")));
    try (SubmittedJob job = faults.start("run", faults.undisturbed)) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      return faults;
    } catch (Exception | AssertionError e) {
      cluster.close();
      throw e;
    }
  }

  FaultCluster cluster() {
    return cluster;
  }

  RunOutput undisturbed() {
    return undisturbed;
  }

  /** A folder for a test's own files. */
  Path folder() {
    return folder;
  }

  /** An output folder that is not there yet. */
  RunOutput output(String name) {
    return new RunOutput(folder.resolve(name));
  }

  /** An output folder with the data set of the undisturbed run. */
  RunOutput prepared(String name) throws IOException {
    return prepared(folder.resolve(name));
  }

  /** Puts the data set of the undisturbed run into {@code output}. */
  RunOutput prepared(Path output) throws IOException {
    Path dataset = Files.createDirectories(output.resolve("dataset"));
    try (Stream<Path> files = Files.list(undisturbed.folder().resolve("dataset"))) {
      for (Path file : files.toList()) {
        Files.copy(file, dataset.resolve(file.getFileName()));
      }
    }
    return new RunOutput(output);
  }

  /**
   * Starts a run.
   *
   * @param command {@code run}, or {@code train} where the data set is there
   * @param more options for {@code submit.sh}
   */
  SubmittedJob start(String command, Output output, String... more) throws IOException {
    return start("", command, output, more);
  }

  /** Starts a run whose first process that enters a phase stays there. */
  SubmittedJob start(String command, Output output, Held held, String... more) throws IOException {
    return start(held.javaAgent(), command, output, more);
  }

  /** Starts a run at the pace. */
  SubmittedJob start(String command, Output output, Paced paced, String... more)
      throws IOException {
    return start(paced.javaAgent(), command, output, more);
  }

  private SubmittedJob start(String javaOptions, String command, Output output, String... more)
      throws IOException {
    return cluster.submit(folder, words(command, output, more), javaOptions);
  }

  /** Starts a run on a cluster of its own, the embedded one. */
  SubmittedJob startEmbedded(String command, Output output, String... more) throws IOException {
    return startEmbedded(words(command, output, more), "");
  }

  /** Starts a run on the embedded cluster whose first process that enters a phase stays there. */
  SubmittedJob startEmbedded(String command, Output output, Held held, String... more)
      throws IOException {
    return startEmbedded(words(command, output, more), held.javaAgent());
  }

  private SubmittedJob startEmbedded(List<String> words, String javaOptions) throws IOException {
    words.addAll(FaultCluster.javaOptions(javaOptions));
    return SubmittedJob.start(folder, words.toArray(String[]::new));
  }

  private static List<String> words(String command, Output output, String... more) {
    List<String> words =
        new ArrayList<>(List.of(command, "--config", SubmittedJob.recipe().toString()));
    SETTINGS.forEach(setting -> words.addAll(List.of("--set", setting)));
    words.addAll(List.of("--set", "output.path=" + output.location()));
    words.addAll(List.of(more));
    return words;
  }

  @Override
  public void close() {
    cluster.close();
  }
}
