package dev.anneal.spark.tracking;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A tracking server behind a door like that of a Databricks workspace, as its documentation
 * describes it: a token opens it, experiments are absolute paths, there is no experiment 0, no
 * artifact goes through it, and files are kept at {@code dbfs:}.
 */
final class Workspace implements AutoCloseable {
  static final String TOKEN = "dapi-of-this-test-alone";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String API = "/api/2.0/mlflow/";

  private final URI server;
  private final HttpServer door;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final HttpClient client = HttpClient.newHttpClient();
  private final Set<String> asked = new ConcurrentSkipListSet<>();

  /**
   * Opens it.
   *
   * @param server behind it
   */
  Workspace(String server) throws IOException {
    this.server = URI.create(server);
    this.door = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    door.setExecutor(threads);
    door.createContext("/", this::answer);
    door.start();
  }

  String host() {
    return "http://127.0.0.1:" + door.getAddress().getPort();
  }

  /** What was asked for since the last call, each kind once. */
  Set<String> asked() {
    Set<String> all = new ConcurrentSkipListSet<>(asked);
    asked.clear();
    return all;
  }

  private void answer(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
    String path = exchange.getRequestURI().getPath();
    asked.add(exchange.getRequestMethod() + " " + path);
    try {
      if (!("Bearer " + TOKEN).equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
        refuse(exchange, 403, "PERMISSION_DENIED", "Invalid access token.");
      } else if (!path.startsWith(API)) {
        refuse(exchange, 404, "ENDPOINT_NOT_FOUND", "No API found for " + path);
      } else if (path.endsWith("experiments/create") && !text(body, "name").startsWith("/")) {
        refuse(exchange, 400, "INVALID_PARAMETER_VALUE", "Experiment name is no absolute path");
      } else if (path.endsWith("runs/create") && text(body, "experiment_id").equals("0")) {
        refuse(exchange, 404, "RESOURCE_DOES_NOT_EXIST", "No experiment 0");
      } else {
        pass(exchange, body);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static String text(byte[] body, String field) throws IOException {
    return JSON.readTree(body).path(field).asText();
  }

  private void pass(HttpExchange exchange, byte[] body) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(server.resolve(exchange.getRequestURI().toString()))
            .header("Content-Type", "application/json")
            .method(exchange.getRequestMethod(), BodyPublishers.ofByteArray(body))
            .build();
    HttpResponse<String> answer = client.send(request, BodyHandlers.ofString(UTF_8));
    send(
        exchange,
        answer.statusCode(),
        answer.body().replace("mlflow-artifacts:/", "dbfs:/databricks/mlflow-tracking/"));
  }

  private static void refuse(HttpExchange exchange, int status, String code, String message)
      throws IOException {
    JsonNode error = JSON.createObjectNode().put("error_code", code).put("message", message);
    send(exchange, status, error.toString());
  }

  private static void send(HttpExchange exchange, int status, String text) throws IOException {
    byte[] bytes = text.getBytes(UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  @Override
  public void close() {
    door.stop(0);
    threads.shutdownNow();
  }
}
