package dev.anneal.spark.s3;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Hands out credentials as a container's host does: other ones at every request, which the SDK asks
 * for again when they are about to expire.
 */
public final class CredentialsService implements AutoCloseable {
  /** In every secret and token that it hands out. */
  public static final String SECRET = "not-for-any-eye";

  // the SDK renews a minute before they expire
  private static final Duration LIFE = Duration.ofSeconds(63);
  private static final String JSON =
      """
      {"AccessKeyId":"renewed-%s","SecretAccessKey":"%s-secret","Token":"%s-token","Expiration":"%s"}
      """;

  private final HttpServer server;
  private final AtomicInteger handedOut = new AtomicInteger();

  private CredentialsService(HttpServer server) {
    this.server = server;
  }

  public static CredentialsService start() throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    CredentialsService service = new CredentialsService(server);
    server.createContext(
        "/",
        exchange -> {
          byte[] body = service.next().getBytes(UTF_8);
          try (exchange) {
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
          }
        });
    server.start();
    return service;
  }

  /** The environment in which the SDK finds it. */
  public Map<String, String> environment() {
    return Map.of(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://127.0.0.1:" + server.getAddress().getPort() + "/");
  }

  @Override
  public void close() {
    server.stop(0);
  }

  private String next() {
    Instant expiration = Instant.now().plus(LIFE);
    return JSON.formatted(handedOut.incrementAndGet(), SECRET, SECRET, expiration);
  }
}
