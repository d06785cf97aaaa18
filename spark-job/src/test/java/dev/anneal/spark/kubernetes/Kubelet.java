package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The agent of the tests' one node: runs every pod of the API as a process of this machine and
 * tells the API what becomes of it. Every pod has a loopback address of its own.
 */
final class Kubelet implements AutoCloseable {
  private static final Duration PERIOD = Duration.ofMillis(100);

  /** Keeps a pod that is deleted in the API while its process ends. */
  static final String FINALIZER = "anneal.dev/kubelet";

  private final ApiClient api;
  private final Image image;
  private final Path folder;
  private final Map<String, Path> claims;
  private final Map<String, PodProcess> processes = new ConcurrentHashMap<>();
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

  /** What a pod's container has ended with. */
  OptionalInt exitCode(Pod pod) {
    return processes.get(pod.uid()).exitCode();
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
        api.replace(
            pod.path(), "/status", PodStatus.ended(pod, pod.address(), exitCode.getAsInt()));
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
    String address = address();
    ContainerEnvironment environment =
        ContainerEnvironment.of(pod, image.environment(address), address);
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
    api.replace(pod.path(), "/status", PodStatus.running(pod, address));
  }

  /** The next one of this machine's loopback network. */
  private String address() {
    int number = processes.size() + 1;
    return "127.1.%s.%s".formatted(number / 250, number % 250 + 1);
  }

  /** The names of this machine, and what a cluster's DNS says of the services there are. */
  private Path hosts(Path own) throws IOException, InterruptedException {
    StringBuilder lines = new StringBuilder(Files.readString(Path.of("/etc/hosts"))).append('\n');
    for (JsonNode service : api.get("/api/v1/services").orElseThrow().path("items")) {
      String name = service.at("/metadata/name").asText();
      String full = "%s.%s.svc".formatted(name, service.at("/metadata/namespace").asText());
      for (Pod pod : api.pods()) {
        if (pod.has(service.at("/spec/selector")) && pod.phase().equals("Running")) {
          lines.append("%s %s %s %s.cluster.local%n".formatted(pod.address(), name, full, full));
        }
      }
    }
    return Files.writeString(own.resolve("hosts"), lines);
  }

  private void release(Pod pod) throws IOException, InterruptedException {
    api.replace(pod.path(), "/metadata/finalizers", List.of());
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
