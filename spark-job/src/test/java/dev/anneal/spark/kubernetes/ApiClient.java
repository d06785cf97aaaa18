package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Asks the API for what it holds, and changes it. */
final class ApiClient {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int NOT_FOUND = 404;

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String url;

  ApiClient(String url) {
    this.url = url;
  }

  /** Every pod of every namespace. */
  List<Pod> pods() throws IOException, InterruptedException {
    List<Pod> pods = new ArrayList<>();
    get("/api/v1/pods").orElseThrow().path("items").forEach(pod -> pods.add(new Pod(pod)));
    return pods;
  }

  /** What lies at a path; empty where nothing does. */
  Optional<JsonNode> get(String path) throws IOException, InterruptedException {
    return send(request(path).GET());
  }

  /** Creates a resource in the collection at {@code path}. */
  void post(String path, JsonNode resource) throws IOException, InterruptedException {
    send(request(path).POST(BodyPublishers.ofString(resource.toString())));
  }

  /**
   * Puts {@code value} in the place of a field of what lies at {@code path}, if it is still there.
   *
   * @param field as JSON Patch names it, such as {@code /status}
   */
  void replace(String path, String field, Object value) throws IOException, InterruptedException {
    // not a merge patch: the server would join arrays
    Map<String, Object> change = Map.of("op", "add", "path", field, "value", value);
    send(
        request(path)
            .header("Content-Type", "application/json-patch+json")
            .method("PATCH", BodyPublishers.ofString(JSON.writeValueAsString(List.of(change)))));
  }

  void delete(String path) throws IOException, InterruptedException {
    send(request(path).DELETE());
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(url + path));
  }

  private Optional<JsonNode> send(HttpRequest.Builder request)
      throws IOException, InterruptedException {
    HttpResponse<String> answer = http.send(request.build(), BodyHandlers.ofString());
    if (answer.statusCode() == NOT_FOUND) {
      return Optional.empty();
    }
    if (answer.statusCode() >= 300) {
      throw new IOException("%s: %s".formatted(answer, answer.body()));
    }
    return answer.body().isBlank() ? Optional.empty() : Optional.of(JSON.readTree(answer.body()));
  }
}
