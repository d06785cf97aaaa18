package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The environment that a pod asks for its container: values, and fields of the downward API. */
final class ContainerEnvironment {
  private static final Pattern REFERENCE = Pattern.compile("\\$\\((\\w+)\\)");

  private final Map<String, String> variables;

  private ContainerEnvironment(Map<String, String> variables) {
    this.variables = variables;
  }

  /**
   * Reads it.
   *
   * @param image what the image sets
   * @param address the pod's
   */
  static ContainerEnvironment of(Pod pod, Map<String, String> image, String address) {
    Map<String, String> variables = new LinkedHashMap<>(image);
    ContainerEnvironment environment = new ContainerEnvironment(variables);
    for (JsonNode variable : pod.container().path("env")) {
      JsonNode field = variable.path("valueFrom").path("fieldRef").path("fieldPath");
      variables.put(
          variable.path("name").asText(),
          field.isMissingNode()
              ? environment.expand(variable.path("value").asText())
              : field(pod, field.asText(), address));
    }
    return environment;
  }

  Map<String, String> variables() {
    return variables;
  }

  /** Puts variables in where words say {@code $(NAME)}. */
  List<String> expand(List<String> words) {
    return words.stream().map(this::expand).toList();
  }

  private String expand(String word) {
    return REFERENCE.matcher(word).replaceAll(this::value);
  }

  private String value(MatchResult reference) {
    return Matcher.quoteReplacement(variables.getOrDefault(reference.group(1), reference.group(0)));
  }

  private static String field(Pod pod, String path, String address) {
    return switch (path) {
      case "status.podIP", "status.hostIP" -> address;
      case "metadata.name", "metadata.namespace", "metadata.uid" ->
          pod.json().at("/" + path.replace('.', '/')).asText();
      default -> throw new IllegalArgumentException("no field " + path + " in the test's kubelet");
    };
  }
}
