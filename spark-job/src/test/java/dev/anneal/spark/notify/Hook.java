package dev.anneal.spark.notify;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A service on the web that is told something. */
public final class Hook implements AutoCloseable {
  /** What of its address nobody gets to see. */
  public static final String SECRET = "T0123/B4567/s3cr3t";

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final HttpServer server;
  private final List<JsonNode> told = new CopyOnWriteArrayList<>();
  private final Deque<Integer> answers = new ArrayDeque<>();
  private volatile boolean silent;

  public Hook() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext("/services/" + SECRET, this::handle);
    server.start();
  }

  public String address() {
    return "http://127.0.0.1:%s/services/%s".formatted(server.getAddress().getPort(), SECRET);
  }

  /** Answers the next requests so, and all that follow with 200. */
  synchronized void answer(Integer... statuses) {
    answers.addAll(List.of(statuses));
  }

  /** Answers nothing. */
  void beSilent() {
    silent = true;
  }

  /** What it was told, each time. */
  List<JsonNode> told() {
    return told;
  }

  /** The only thing that it was told. */
  public JsonNode only() {
    assertThat(told).hasSize(1);
    return told.get(0);
  }

  private void handle(HttpExchange exchange) throws IOException {
    assertThat(exchange.getRequestHeaders().getFirst("Content-Type"))
        .startsWith("application/json");
    told.add(new ObjectMapper().readTree(exchange.getRequestBody()));
    if (silent) {
      return;
    }
    Integer status;
    synchronized (this) {
      status = answers.poll();
    }
    exchange.sendResponseHeaders(status == null ? 200 : status, -1);
    exchange.close();
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
