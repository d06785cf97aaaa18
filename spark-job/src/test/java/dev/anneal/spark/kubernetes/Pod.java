package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A pod as the API has it, with one container. */
record Pod(JsonNode json) {
  private static final int DEFAULT_GRACE_SECONDS = 30;

  String name() {
    return json.path("metadata").path("name").asText();
  }

  String uid() {
    return json.path("metadata").path("uid").asText();
  }

  String namespace() {
    return json.path("metadata").path("namespace").asText();
  }

  /** Where the API has it. */
  String path() {
    return "/api/v1/namespaces/%s/pods/%s".formatted(namespace(), name());
  }

  /** The IP address that its kubelet has given it. */
  String address() {
    return json.path("status").path("podIP").asText();
  }

  /** Whether it has all of these labels. */
  boolean has(JsonNode labels) {
    JsonNode own = json.path("metadata").path("labels");
    return labels.properties().stream()
        .allMatch(label -> label.getValue().equals(own.path(label.getKey())));
  }

  /** The label {@code spark-role}: {@code driver} or {@code executor}. */
  String role() {
    return json.path("metadata").path("labels").path("spark-role").asText();
  }

  String phase() {
    return json.path("status").path("phase").asText();
  }

  boolean isBeingDeleted() {
    return json.path("metadata").has("deletionTimestamp");
  }

  /** How long its process has between SIGTERM and SIGKILL. */
  Duration grace() {
    return Duration.ofSeconds(
        json.path("spec").path("terminationGracePeriodSeconds").asInt(DEFAULT_GRACE_SECONDS));
  }

  JsonNode container() {
    return json.path("spec").path("containers").path(0);
  }

  /** The container's limit of a resource, such as {@code nvidia.com/gpu}; empty if it has none. */
  String limit(String resource) {
    return container().path("resources").path("limits").path(resource).asText();
  }

  /** What its container has ended with. */
  int exitCode() {
    JsonNode code = json.at("/status/containerStatuses/0/state/terminated/exitCode");
    if (code.isMissingNode()) {
      throw new IllegalStateException(name() + " has not ended");
    }
    return code.asInt();
  }

  /** The words of the container's {@code field}, {@code command} or {@code args}. */
  List<String> words(String field) {
    List<String> words = new ArrayList<>();
    container().path(field).forEach(word -> words.add(word.asText()));
    return words;
  }
}
