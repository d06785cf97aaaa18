package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.ServerProcess;
import dev.anneal.spark.UnchangedSpark;
import dev.anneal.spark.faults.Await;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.mockwebserver.MockWebServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A Kubernetes cluster of one node: the API in a process of its own, and a kubelet. */
final class Cluster implements AutoCloseable {
  static final Path HOME = Path.of(System.getProperty("anneal.home"));
  private static final Duration PATIENCE = Duration.ofMinutes(3);
  private static final Path TARGET = HOME.resolve("spark-job/target");

  private final Path sparkHome;
  private final ServerProcess server;
  private final ApiClient api;
  private final Kubelet kubelet;

  private Cluster(Path sparkHome, ServerProcess server, ApiClient api, Kubelet kubelet) {
    this.sparkHome = sparkHome;
    this.server = server;
    this.api = api;
    this.kubelet = kubelet;
  }

  /**
   * Starts it, with images of an unchanged Spark 4.1.
   *
   * @param folder for what pods print and hold
   * @param claims folders by the names of the persistent volume claims that stand for them
   */
  static Cluster start(Path folder, Map<String, Path> claims) throws Exception {
    Path sparkHome = UnchangedSpark.home("4.1");
    int port = ServerProcess.freePort();
    String classPath =
        Stream.of(KubernetesApi.class, KubernetesCrudDispatcher.class, MockWebServer.class)
            .map(type -> type.getProtectionDomain().getCodeSource().getLocation().getPath())
            .collect(Collectors.joining(":"));
    ServerProcess server =
        ServerProcess.start(
            port,
            folder.resolve("api.log"),
            List.of(
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                "%s:%s/jars/*".formatted(classPath, sparkHome),
                KubernetesApi.class.getName(),
                Integer.toString(port)));
    ApiClient api = new ApiClient("http://127.0.0.1:" + port);
    Image image =
        new Image(
            sparkHome,
            Map.of(
                "/opt/anneal/jars",
                RuntimeJar.in(Files.createDirectory(folder.resolve("jars"))),
                RuntimeJar.PARTS,
                TARGET.resolve("app"),
                "/opt/anneal/conf",
                HOME.resolve("conf"),
                "/opt/anneal/natives/cpu",
                TARGET.resolve("app-cpu")));
    return new Cluster(sparkHome, server, api, Kubelet.start(api, image, folder, claims));
  }

  /** The master's URL for spark-submit. */
  String master() {
    return "k8s://" + url();
  }

  String url() {
    return "http://127.0.0.1:" + server.port();
  }

  Path sparkHome() {
    return sparkHome;
  }

  ApiClient api() {
    return api;
  }

  /** Waits until a pod of this name is there. */
  Pod await(String name) throws Exception {
    String path = "/api/v1/namespaces/default/pods/" + name;
    Await.until(PATIENCE, () -> "no pod " + name, () -> api.get(path).isPresent());
    return new Pod(api.get(path).orElseThrow());
  }

  /** Waits until this many executors run. */
  List<Pod> awaitExecutors(int number) throws Exception {
    Await.until(
        PATIENCE,
        () -> "not %s executors, but %s".formatted(number, api.pods()),
        () -> executors().size() == number);
    return executors();
  }

  private List<Pod> executors() throws IOException, InterruptedException {
    return api.pods().stream()
        .filter(pod -> pod.role().equals("executor") && pod.phase().equals("Running"))
        .filter(pod -> !pod.isBeingDeleted())
        .toList();
  }

  /** Tells the API to delete a pod; its process then has the pod's grace period. */
  void delete(Pod pod) throws IOException, InterruptedException {
    api.delete(pod.path());
  }

  /** Waits until a deleted pod is gone; returns what its container has ended with. */
  int awaitDeleted(Pod pod) throws Exception {
    Await.until(
        PATIENCE,
        () -> pod.name() + " is not gone: " + log(pod),
        () -> api.get(pod.path()).isEmpty());
    return kubelet.exitCode(pod).orElseThrow();
  }

  /** Creates a pod in the namespace {@code default}. */
  Pod create(JsonNode pod) throws IOException, InterruptedException {
    api.post("/api/v1/namespaces/default/pods", pod);
    String name = pod.at("/metadata/name").asText();
    return new Pod(api.get("/api/v1/namespaces/default/pods/" + name).orElseThrow());
  }

  /** What a pod's container has printed. */
  String log(Pod pod) throws IOException {
    return Files.readString(kubelet.log(pod.name()));
  }

  /** Waits until a pod has ended; returns it as it is then. */
  Pod awaitEnd(Pod pod, Duration patience) throws Exception {
    Await.until(
        patience,
        () -> "%s does not end:%n%s".formatted(pod.name(), log(pod)),
        () -> List.of("Succeeded", "Failed").contains(now(pod).phase()));
    return now(pod);
  }

  private Pod now(Pod pod) throws IOException, InterruptedException {
    return new Pod(api.get(pod.path()).orElseThrow());
  }

  /** Ends every pod and the API. */
  @Override
  public void close() {
    kubelet.close();
    server.close();
  }
}
