package dev.anneal.spark.kubernetes;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.Await;
import dev.anneal.spark.faults.RunOutput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** Short runs of the bundled model on a cluster, with what {@code deploy/kubernetes} says. */
final class KubernetesRuns implements AutoCloseable {
  static final Duration PATIENCE = Duration.ofMinutes(5);

  private static final List<String> SETTINGS =
      List.of(
          "data.max_length=128",
          "data.packing=false",
          "data.eval_rows=0",
          "evaluation.sample_rows=0",
          "lora.r=4",
          "training.micro_batch_size=1",
          "training.max_steps=6",
          "checkpoint.every_steps=3");

  private final Path folder;
  private final Cluster cluster;

  private KubernetesRuns(Path folder, Cluster cluster) {
    this.folder = folder;
    this.cluster = cluster;
  }

  /**
   * Starts the cluster, with model and data in the volume and the config map in the API.
   *
   * @param folder for everything that processes write
   */
  static KubernetesRuns start(Path folder) throws Exception {
    Path data = Files.createDirectory(folder.resolve("data"));
    Path recipe = SubmittedJob.recipe();
    Path tiny = recipe.resolveSibling("tiny");
    try (Stream<Path> files = Files.walk(tiny)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path copy = data.resolve(tiny.relativize(file));
        Files.createDirectories(copy.getParent());
        Files.copy(file, copy);
      }
    }
    Cluster cluster = Cluster.start(folder, Map.of("anneal-data", data));
    String runYaml = Files.readString(recipe).replace("${conf}/tiny", "/data");
    cluster
        .api()
        .post(
            "/api/v1/namespaces/default/configmaps",
            Manifests.configMap(runYaml, Manifests.properties("spark.conf")));
    return new KubernetesRuns(folder, cluster);
  }

  Cluster cluster() {
    return cluster;
  }

  /** What a run has left in the volume. */
  RunOutput output(String name) {
    return new RunOutput(folder.resolve("data").resolve(name));
  }

  /** Waits until the checkpoint after {@code step} steps is complete. */
  void awaitCheckpoint(RunOutput output, int step) throws Exception {
    Path manifest =
        output
            .folder()
            .resolve(String.format(Locale.ROOT, "checkpoints/step-%08d/manifest.json", step));
    Await.until(PATIENCE, () -> "no " + manifest, () -> Files.exists(manifest));
  }

  /** Writes the properties of files of {@code deploy/kubernetes}, one after the other. */
  Path properties(String... files) throws IOException {
    return Files.writeString(
        Files.createTempFile(folder, "spark", ".conf"), Manifests.properties(files));
  }

  /**
   * Starts a run in cluster mode, by a spark-submit outside of the cluster; the jars are the
   * image's.
   *
   * @param more arguments for Anneal
   */
  Submission submit(String output, String... more) throws IOException {
    List<String> words = new ArrayList<>(List.of("--master", cluster.master()));
    words.addAll(List.of("--deploy-mode", "cluster"));
    words.addAll(List.of("--properties-file", properties("spark.conf").toString()));
    List<String> conf =
        List.of(
            "spark.kubernetes.driver.podTemplateFile="
                + Manifests.FOLDER.resolve("driver-template.yaml"),
            "spark.kubernetes.driver.pod.name=" + output,
            "spark.kubernetes.driver.master=" + cluster.url());
    conf.forEach(setting -> words.addAll(List.of("--conf", setting)));
    words.addAll(List.of("--class", "dev.anneal.spark.Anneal", RuntimeJar.IN_IMAGE));
    words.addAll(List.of("run", "--config", "/etc/anneal/run.yaml"));
    words.addAll(settings("file:/data/" + output));
    words.addAll(List.of(more));
    return Submission.start(cluster.sparkHome(), folder, words);
  }

  /**
   * Starts {@code submit.sh} in client mode, outside of the cluster, with jars that go along.
   *
   * @param more options for it
   */
  SubmittedJob submitClient(String command, String output, String... more) throws IOException {
    List<String> words = new ArrayList<>(List.of(command));
    words.addAll(List.of("--config", SubmittedJob.recipe().toString()));
    words.addAll(settings(output(output).location()));
    words.addAll(List.of("--master", cluster.master(), "--conf", "spark.driver.host=127.0.0.1"));
    if (!List.of(more).contains("--properties-file")) {
      words.addAll(List.of("--properties-file", properties("spark.conf").toString()));
    }
    words.addAll(List.of(more));
    return SubmittedJob.start(
        folder, new ProcessBuilder("env", "SPARK_HOME=" + cluster.sparkHome()), words);
  }

  /**
   * Starts a run in the pod of a job.
   *
   * @param more arguments for Anneal
   */
  Pod startJob(String output, String... more) throws IOException, InterruptedException {
    List<String> words = settings("file:/data/" + output);
    words.addAll(List.of(more));
    return cluster.create(Manifests.jobPod(output, cluster.master(), words));
  }

  private static List<String> settings(String output) {
    List<String> words = new ArrayList<>();
    SETTINGS.forEach(setting -> words.addAll(List.of("--set", setting)));
    words.addAll(List.of("--set", "output.path=" + output));
    return words;
  }

  @Override
  public void close() {
    cluster.close();
  }
}
