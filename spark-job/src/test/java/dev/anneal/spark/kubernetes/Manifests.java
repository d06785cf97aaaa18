package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The files of {@code deploy/kubernetes}, with what their users are to change changed. */
final class Manifests {
  static final Path FOLDER = Cluster.HOME.resolve("deploy/kubernetes");

  private static final ObjectMapper YAML = new YAMLMapper();
  private static final String IMAGE = "REGISTRY/anneal:0.1.0";
  private static final String IN_CLUSTER = "k8s://https://kubernetes.default.svc";

  private Manifests() {}

  static JsonNode read(String file) throws IOException {
    return YAML.readTree(text(file));
  }

  /** Properties files one after the other, and what makes pods of them that are fit for a test. */
  static String properties(String... files) throws IOException {
    StringBuilder properties = new StringBuilder();
    for (String file : files) {
      properties.append(text(file)).append('\n');
    }
    String javaOptions =
        "-XX:TieredStopAtLevel=1 -Dorg.bytedeco.javacpp.cachedir="
            + Cluster.HOME.resolve("spark-job/target/natives");
    return properties
        + """
        spark.executor.cores 1
        spark.executor.memory 1g
        spark.driver.extraJavaOptions %s
        spark.executor.extraJavaOptions %s
        spark.kubernetes.submission.connectionTimeout 60000
        spark.kubernetes.submission.requestTimeout 60000
        """
            .formatted(javaOptions, javaOptions);
  }

  /** The config map {@code anneal-run}. */
  static JsonNode configMap(String runYaml, String sparkConf) {
    return YAML.valueToTree(
        Map.of(
            "apiVersion",
            "v1",
            "kind",
            "ConfigMap",
            "metadata",
            Map.of("name", "anneal-run"),
            "data",
            Map.of("run.yaml", runYaml, "spark.conf", sparkConf)));
  }

  /**
   * The pod that {@code job.yaml} makes.
   *
   * @param master the URL of the API
   * @param more arguments for Anneal
   */
  static JsonNode jobPod(String name, String master, List<String> more) throws IOException {
    ObjectNode pod = (ObjectNode) read("job.yaml").at("/spec/template").deepCopy();
    pod.put("apiVersion", "v1").put("kind", "Pod");
    pod.withObject("/metadata").put("name", name);
    ArrayNode args = (ArrayNode) pod.at("/spec/containers/0/args");
    for (int i = 0; i < args.size(); i++) {
      if (args.get(i).asText().equals(IN_CLUSTER)) {
        args.set(i, master);
      }
    }
    more.forEach(args::add);
    return pod;
  }

  static String text(String file) throws IOException {
    return Files.readString(FOLDER.resolve(file)).replace(IMAGE, "anneal:test");
  }
}
