package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * The agent of the tests' one node: runs every pod of the API as a process of this machine and
 * tells the API what becomes of it. All pods have this machine's loopback address.
 */
final class Kubelet implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String ADDRESS = "127.0.0.1";
  private static final Duration PERIOD = Duration.ofMillis(100);

  /** Keeps a pod that is deleted in the API while its process ends. */
  static final String FINALIZER = "anneal.dev/kubelet";

  private final ApiClient api;
  private final Image image;
  private final Path folder;
  private final Map<String, Path> claims;
  private final Map<String, PodProcess> processes = new HashMap<>();
  private final Thread thread = new Thread(this::run, "kubelet");

  private Kubelet(ApiClient api, Image image, Path folder, Map<String, Path> claims) {
    this.api = api;
    this.image = image;
    this.folder = folder;
    this.claims = claims;
  }

  /**
   * Starts it.
   *
   * @param folder for what pods print and hold
   * @param claims folders by the names of the persistent volume claims that stand for them
   */
  static Kubelet start(ApiClient api, Image image, Path folder, Map<String, Path> claims) {
    Kubelet kubelet = new Kubelet(api, image, folder, claims);
    kubelet.thread.start();
    return kubelet;
  }

  /** What a pod's container prints. */
  Path log(String pod) {
    return folder.resolve(pod + ".log");
  }

  private void run() {
    try {
      while (!Thread.currentThread().isInterrupted()) {
        for (Pod pod : api.pods()) {
          sync(pod);
        }
        Thread.sleep(PERIOD.toMillis());
      }
    } catch (InterruptedException e) {
      // closed
    } catch (IOException e) {
      throw new IllegalStateException(e);
    } finally {
      processes.values().forEach(PodProcess::kill);
    }
  }

  private void sync(Pod pod) throws IOException, InterruptedException {
    PodProcess process = processes.get(pod.uid());
    if (process == null) {
      if (pod.isBeingDeleted()) {
        release(pod);
      } else {
        start(pod);
      }
      return;
    }
    OptionalInt exitCode = process.exitCode();
    if (exitCode.isPresent()) {
      if (pod.phase().equals("Running")) {
        api.merge(pod.path(), PodStatus.ended(pod, ADDRESS, exitCode.getAsInt()));
      }
      if (pod.isBeingDeleted()) {
        release(pod);
      }
    } else if (pod.isBeingDeleted()) {
      process.terminate(pod.grace());
    }
  }

  private void start(Pod pod) throws IOException, InterruptedException {
    Path own = Files.createDirectories(folder.resolve(pod.uid()));
    Optional<Map<String, Path>> volumes = new PodVolumes(api, own, claims).mounts(pod);
    if (volumes.isEmpty()) {
      return;
    }
    Map<String, Path> mounts = new TreeMap<>(image.mounts());
    mounts.putAll(volumes.get());
    mounts.put("/etc/hosts", hosts(own));
    ContainerEnvironment environment = ContainerEnvironment.of(pod, image.environment(), ADDRESS);
    List<String> command = new ArrayList<>(pod.words("command"));
    command.addAll(pod.words("args"));
    command = environment.expand(command);
    if (pod.words("command").isEmpty()) {
      command = image.entrypoint(command, environment.variables());
    }
    processes.put(
        pod.uid(),
        PodProcess.start(
            command, environment.variables(), mounts, own.resolve("root"), log(pod.name())));
    api.merge(pod.path(), PodStatus.running(pod, ADDRESS));
  }

  /**
   * The names of this machine and of the services there are, which is what a cluster's DNS says.
   */
  private Path hosts(Path own) throws IOException, InterruptedException {
    StringBuilder lines = new StringBuilder(Files.readString(Path.of("/etc/hosts"))).append('\n');
    for (JsonNode service : api.get("/api/v1/services").orElseThrow().path("items")) {
      String name = service.path("metadata").path("name").asText();
      String full = name + "." + service.path("metadata").path("namespace").asText() + ".svc";
      lines.append(ADDRESS + " " + name + " " + full + " " + full + ".cluster.local\n");
    }
    return Files.writeString(own.resolve("hosts"), lines);
  }

  private void release(Pod pod) throws IOException, InterruptedException {
    api.merge(pod.path(), JSON.valueToTree(Map.of("metadata", Map.of("finalizers", List.of()))));
  }

  /** Ends every process. */
  @Override
  public void close() {
    thread.interrupt();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
