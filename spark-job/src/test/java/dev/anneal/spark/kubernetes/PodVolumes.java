package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Lays out a pod's volumes as folders of this machine. */
final class PodVolumes {
  private final ApiClient api;
  private final Path folder;
  private final Map<String, Path> claims;

  /**
   * @param folder for what the volumes hold
   * @param claims folders by the names of the claims that stand for them
   */
  PodVolumes(ApiClient api, Path folder, Map<String, Path> claims) {
    this.api = api;
    this.folder = folder;
    this.claims = claims;
  }

  /** What to mount where; empty while a config map of the pod is not there yet. */
  Optional<Map<String, Path>> mounts(Pod pod) throws IOException, InterruptedException {
    Map<String, Path> volumes = new HashMap<>();
    for (JsonNode volume : pod.json().path("spec").path("volumes")) {
      Optional<Path> content = content(pod, volume);
      if (content.isEmpty()) {
        return Optional.empty();
      }
      volumes.put(volume.path("name").asText(), content.get());
    }
    Map<String, Path> mounts = new TreeMap<>();
    for (JsonNode mount : pod.container().path("volumeMounts")) {
      Path volume = volumes.get(mount.path("name").asText());
      mounts.put(mount.path("mountPath").asText(), volume.resolve(mount.path("subPath").asText()));
    }
    return Optional.of(mounts);
  }

  private Optional<Path> content(Pod pod, JsonNode volume)
      throws IOException, InterruptedException {
    Path content = folder.resolve(volume.path("name").asText());
    if (volume.has("configMap")) {
      return configMap(pod, volume.path("configMap").path("name").asText(), content);
    }
    if (volume.has("persistentVolumeClaim")) {
      return Optional.of(
          claims.get(volume.path("persistentVolumeClaim").path("claimName").asText()));
    }
    if (volume.has("emptyDir")) {
      return Optional.of(Files.createDirectories(content));
    }
    throw new IllegalArgumentException("the test's kubelet has no volume such as " + volume);
  }

  private Optional<Path> configMap(Pod pod, String name, Path content)
      throws IOException, InterruptedException {
    Optional<JsonNode> map =
        api.get("/api/v1/namespaces/%s/configmaps/%s".formatted(pod.namespace(), name));
    if (map.isEmpty()) {
      return Optional.empty();
    }
    Files.createDirectories(content);
    for (Map.Entry<String, JsonNode> file : map.get().path("data").properties()) {
      Files.writeString(content.resolve(file.getKey()), file.getValue().asText());
    }
    return Optional.of(content);
  }
}
