package dev.anneal.spark.kubernetes;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;

/** What a kubelet tells the API of a pod. */
final class PodStatus {
  private PodStatus() {}

  static Map<String, Object> running(Pod pod, String address) {
    return status(pod, "Running", address, Map.of("running", Map.of("startedAt", now())));
  }

  static Map<String, Object> ended(Pod pod, String address, int exitCode) {
    String reason = exitCode == 0 ? "Completed" : "Error";
    return status(
        pod,
        exitCode == 0 ? "Succeeded" : "Failed",
        address,
        Map.of("terminated", Map.of("exitCode", exitCode, "reason", reason, "finishedAt", now())));
  }

  private static Map<String, Object> status(
      Pod pod, String phase, String address, Map<String, Object> state) {
    boolean running = phase.equals("Running");
    Map<String, Object> container =
        Map.of(
            "name",
            pod.container().path("name").asText(),
            "image",
            pod.container().path("image").asText(),
            "imageID",
            "",
            "ready",
            phase.equals("Running"),
            "restartCount",
            0,
            "state",
            state);
    return Map.of(
        "phase",
        phase,
        "podIP",
        address,
        "hostIP",
        address,
        "startTime",
        now(),
        "conditions",
        List.of(Map.of("type", "Ready", "status", running ? "True" : "False")),
        "containerStatuses",
        List.of(container));
  }

  private static String now() {
    return Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
