package dev.anneal.spark.kubernetes;

import dev.anneal.spark.ServerProcess;
import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.RunOutput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Short runs of the bundled model on a cluster, with what {@code deploy/kubernetes} says. */
final class KubernetesRuns implements AutoCloseable {
  static final int STEPS = 12;
  static final int CHECKPOINT_STEPS = 3;

  private static final List<String> SETTINGS =
      List.of(
          "data.max_length=128",
          "data.packing=false",
          "data.eval_rows=0",
          "evaluation.sample_rows=0",
          "lora.r=4",
          "training.micro_batch_size=1",
          "training.max_steps=" + STEPS,
          "checkpoint.every_steps=" + CHECKPOINT_STEPS);

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
    String conf = Manifests.properties("spark.conf");
    Files.writeString(folder.resolve("spark.conf"), conf);
    Cluster cluster = Cluster.start(folder, Map.of("anneal-data", data));
    String runYaml = Files.readString(recipe).replace("${conf}/tiny", "/data");
    cluster.api().post("/api/v1/namespaces/default/configmaps", Manifests.configMap(runYaml, conf));
    return new KubernetesRuns(folder, cluster);
  }

  Cluster cluster() {
    return cluster;
  }

  /** What a run has left in the volume. */
  RunOutput output(String name) {
    return new RunOutput(folder.resolve("data").resolve(name));
  }

  /**
   * Starts a run in cluster mode, by a spark-submit outside of the cluster.
   *
   * @param more options for spark-submit
   */
  Submission submit(String output, String... more) throws IOException {
    List<String> words = new ArrayList<>(List.of("--master", cluster.master()));
    words.addAll(List.of("--deploy-mode", "cluster"));
    words.addAll(List.of("--properties-file", folder.resolve("spark.conf").toString()));
    List<String> conf =
        List.of(
            "spark.kubernetes.driver.podTemplateFile="
                + Manifests.FOLDER.resolve("driver-template.yaml"),
            // what is one name and one port in a cluster's network, and here is this machine's
            "spark.kubernetes.driver.master=" + cluster.url(),
            "spark.driver.port=" + ServerProcess.freePort(),
            "spark.driver.blockManager.port=" + ServerProcess.freePort());
    conf.forEach(setting -> words.addAll(List.of("--conf", setting)));
    words.addAll(List.of(more));
    words.addAll(List.of("--class", "dev.anneal.spark.Anneal", RuntimeJar.IN_IMAGE));
    words.addAll(List.of("run", "--config", "/etc/anneal/run.yaml"));
    words.addAll(sets(output));
    return Submission.start(cluster.sparkHome(), folder, words);
  }

  /**
   * Starts a run in the pod of a job.
   *
   * @param more arguments for Anneal
   */
  Pod startJob(String output, String... more) throws IOException, InterruptedException {
    List<String> words = sets(output);
    words.addAll(List.of(more));
    return cluster.create(Manifests.jobPod(output, cluster.master(), words));
  }

  private static List<String> sets(String output) {
    List<String> words = new ArrayList<>();
    SETTINGS.forEach(setting -> words.addAll(List.of("--set", setting)));
    words.addAll(List.of("--set", "output.path=/data/" + output));
    return words;
  }

  @Override
  public void close() {
    cluster.close();
  }
}
