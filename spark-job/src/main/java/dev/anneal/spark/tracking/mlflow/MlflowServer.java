package dev.anneal.spark.tracking.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.io.Excerpt;
import java.io.IOException;
import java.io.InputStream;
import java.net.ProxySelector;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** MLflow's REST interface, version 2.0, as {@code mlflow server} and Databricks have it. */
final class MlflowServer {
  static final ObjectMapper JSON = new ObjectMapper();

  private static final Duration CONNECT = Duration.ofSeconds(5);
  private static final Duration ANSWER = Duration.ofSeconds(30);

  /** Of a file: a slow line takes its time, and the end of a run does not wait for ever. */
  private static final Duration UPLOAD = Duration.ofMinutes(30);

  private static final int TOO_MANY_REQUESTS = 429;

  private final MlflowAddress address;
  private final HttpClient client;

  /** What authorizes goes to this address alone, since no redirection is followed. */
  MlflowServer(MlflowAddress address) {
    this.address = address;
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(CONNECT);
    if (ProxySelector.getDefault() != null) {
      builder.proxy(ProxySelector.getDefault());
    }
    this.client = builder.build();
  }

  /** The server says no, and would say it again. */
  static final class Refused extends IOException {
    private static final long serialVersionUID = 1L;
    private final String code;

    Refused(String code, String message) {
      super(message);
      this.code = code;
    }

    /** Whether it is MLflow's own word for a refusal, such as {@code RESOURCE_DOES_NOT_EXIST}. */
    boolean is(String word) {
      return code.equals(word);
    }
  }

  URI root() {
    return address.root();
  }

  /** The page of a run. */
  String page(String experiment, String run) {
    return "%s%s%s/runs/%s".formatted(root(), address.pages(), experiment, run);
  }

  /**
   * Asks.
   *
   * @param path as in {@code runs/get}
   * @param query names and values in turn
   */
  JsonNode get(String path, String... query) throws IOException, InterruptedException {
    StringBuilder uri = new StringBuilder("/api/2.0/mlflow/").append(path);
    for (int i = 0; i < query.length; i += 2) {
      uri.append(i == 0 ? '?' : '&').append(query[i]).append('=');
      uri.append(URLEncoder.encode(query[i + 1], UTF_8));
    }
    return send(request(uri.toString(), ANSWER).GET().build());
  }

  /**
   * Tells.
   *
   * @param path as in {@code runs/create}
   */
  JsonNode post(String path, ObjectNode body) throws IOException, InterruptedException {
    return send(
        request("/api/2.0/mlflow/" + path, ANSWER)
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(body.toString()))
            .build());
  }

  /**
   * Uploads a file through the server.
   *
   * @param artifact path below the server's artifacts
   */
  void upload(String artifact, long bytes, Supplier<InputStream> content)
      throws IOException, InterruptedException {
    String path =
        Arrays.stream(artifact.split("/", -1))
            .map(name -> URLEncoder.encode(name, UTF_8).replace("+", "%20"))
            .collect(Collectors.joining("/"));
    // a length of its own: not every server takes what comes in chunks
    BodyPublisher body =
        bytes == 0
            ? BodyPublishers.noBody()
            : BodyPublishers.fromPublisher(BodyPublishers.ofInputStream(content), bytes);
    send(
        request("/api/2.0/mlflow-artifacts/artifacts/" + path, UPLOAD)
            .header("Content-Type", "application/octet-stream")
            .PUT(body)
            .build());
  }

  private HttpRequest.Builder request(String path, Duration timeout) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(root() + path)).timeout(timeout);
    return address.authorization() == null
        ? request
        : request.header("Authorization", address.authorization());
  }

  private JsonNode send(HttpRequest request) throws IOException, InterruptedException {
    HttpResponse<String> answer;
    try {
      answer = client.send(request, BodyHandlers.ofString(UTF_8));
    } catch (IOException e) {
      // Java's own say nothing of where, and some say nothing at all
      throw new IOException(
          "%s: %s".formatted(root(), e.getMessage() == null ? "no connection" : e.getMessage()), e);
    }
    int status = answer.statusCode();
    if (status >= 200 && status < 300) {
      return parsed(answer.body());
    }
    JsonNode error = parsed(answer.body());
    String message =
        "%s answers %s%s"
            .formatted(
                root(),
                status,
                error.has("message") ? ": " + Excerpt.of(error.path("message").asText()) : "");
    if (status >= 500 || status == TOO_MANY_REQUESTS) {
      throw new IOException(message);
    }
    throw new Refused(error.path("error_code").asText(""), message);
  }

  /** An answer of something else than MLflow, such as a gateway, may be no JSON. */
  private static JsonNode parsed(String body) {
    try {
      return JSON.readTree(body);
    } catch (JsonProcessingException e) {
      return JSON.createObjectNode();
    }
  }
}
