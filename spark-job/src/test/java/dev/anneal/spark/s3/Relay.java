package dev.anneal.spark.s3;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The requests of one HTTP/1.1 connection, passed on one after the other, or not. */
final class Relay {
  private static final int CHUNK_BYTES = 1 << 14;
  private static final String ERROR =
      "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>";

  /** Start line and headers of a message, the headers by lower-case name. */
  private record Head(String text, String startLine, Map<String, String> headers) {}

  private final FaultyStore store;
  private final InputStream fromClient;
  private final OutputStream toClient;
  private final InputStream fromServer;
  private final OutputStream toServer;

  Relay(FaultyStore store, Socket client, Socket server) throws IOException {
    this.store = store;
    client.setTcpNoDelay(true);
    server.setTcpNoDelay(true);
    this.fromClient = new BufferedInputStream(client.getInputStream());
    this.toClient = client.getOutputStream();
    this.fromServer = new BufferedInputStream(server.getInputStream());
    this.toServer = server.getOutputStream();
  }

  /** Returns when one of the ends closes its connection, or when it is to be broken. */
  void run() throws IOException, InterruptedException {
    boolean open = true;
    while (open) {
      Head head = readHead(fromClient);
      List<String> start = List.of(head.startLine().split(" "));
      Thread.sleep(store.delay().toMillis());
      StoreRequest request = store.receive(start.get(0), start.get(1), head.headers());
      switch (request.fate()) {
        case THROTTLED -> answer(request, "503 Slow Down", "SlowDown", "Reduce your request rate.");
        case EXPIRED ->
            answer(request, "400 Bad Request", "ExpiredToken", "The provided token has expired.");
        case FORBIDDEN -> answer(request, "403 Forbidden", "AccessDenied", "Access Denied");
        case BROKEN -> {
          exchange(request, head, Math.max(1, request.contentLength() / 2));
          open = false;
        }
        case PASSED -> exchange(request, head, Long.MAX_VALUE);
      }
    }
  }

  private void answer(StoreRequest request, String status, String code, String message)
      throws IOException, InterruptedException {
    if (!request.waitsToSend()) {
      pass(fromClient, OutputStream.nullOutputStream(), request.contentLength());
    }
    String body = request.method().equals("HEAD") ? "" : ERROR.formatted(code, message);
    String head = "HTTP/1.1 %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n";
    toClient.write((head.formatted(status, body.length()) + body).getBytes(ISO_8859_1));
    toClient.flush();
  }

  /**
   * Passes on a request and its answer.
   *
   * @param limit of the bytes of either body, after which it stops
   */
  private void exchange(StoreRequest request, Head head, long limit)
      throws IOException, InterruptedException {
    if (request.waitsToSend()) {
      toClient.write("HTTP/1.1 100 Continue\r\n\r\n".getBytes(ISO_8859_1));
      toClient.flush();
    }
    // the word to go on was given here
    String forwarded = head.text().replaceFirst("(?i)\r\nexpect:[^\r]*", "");
    toServer.write(forwarded.getBytes(ISO_8859_1));
    pass(fromClient, toServer, Math.min(limit, request.contentLength()));
    if (limit < request.contentLength()) {
      return;
    }
    toServer.flush();
    Head response = readHead(fromServer);
    toClient.write(response.text().getBytes(ISO_8859_1));
    boolean empty =
        request.method().equals("HEAD") || response.startLine().matches("\\S+ (204|304).*");
    if (!empty) {
      passBody(response.headers(), limit);
    }
    toClient.flush();
  }

  private void passBody(Map<String, String> headers, long limit)
      throws IOException, InterruptedException {
    if (!"chunked".equals(headers.get("transfer-encoding"))) {
      long length = Long.parseLong(headers.getOrDefault("content-length", "0"));
      // half of an answer where the connection is to be broken
      pass(fromServer, toClient, limit == Long.MAX_VALUE ? length : length / 2);
      return;
    }
    long size;
    do {
      String line = readLine(fromServer);
      toClient.write((line + "\r\n").getBytes(ISO_8859_1));
      size = Long.parseLong(line.replaceFirst(";.*", "").strip(), 16);
      pass(fromServer, toClient, size + 2);
    } while (size > 0);
  }

  private void pass(InputStream from, OutputStream to, long bytes)
      throws IOException, InterruptedException {
    long start = System.nanoTime();
    byte[] chunk = new byte[CHUNK_BYTES];
    long passed = 0;
    while (passed < bytes) {
      int read = from.read(chunk, 0, (int) Math.min(chunk.length, bytes - passed));
      if (read < 0) {
        throw new EOFException();
      }
      to.write(chunk, 0, read);
      passed += read;
      double seconds = (double) passed / store.bytesPerSecond();
      long early = (long) (seconds * 1000) - (System.nanoTime() - start) / 1_000_000;
      if (early > 0) {
        Thread.sleep(early);
      }
    }
  }

  private static Head readHead(InputStream in) throws IOException {
    String startLine = readLine(in);
    StringBuilder text = new StringBuilder(startLine).append("\r\n");
    Map<String, String> headers = new HashMap<>();
    for (String line = readLine(in); !line.isEmpty(); line = readLine(in)) {
      text.append(line).append("\r\n");
      int colon = line.indexOf(':');
      headers.put(
          line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
    }
    return new Head(text.append("\r\n").toString(), startLine, headers);
  }

  private static String readLine(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) {
        throw new EOFException();
      }
      if (next != '\r') {
        line.write(next);
      }
    }
    return line.toString(ISO_8859_1);
  }
}
