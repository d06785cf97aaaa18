package dev.anneal.data.hub;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Speaks the interface of the Hugging Face hub for one data set: revision, listing in pages, and
 * files, of which the large ones are redirected to a store of their own.
 */
final class HubServer implements AutoCloseable {
  static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int PAGE = 2;

  private final HttpServer hub = server();
  private final HttpServer store = server();
  private final Map<String, byte[]> files = new LinkedHashMap<>();
  private final List<String> requests = new CopyOnWriteArrayList<>();
  private String commit = COMMIT;
  private String token;
  private int bytesBeforeCut = Integer.MAX_VALUE;
  private int failures;
  private boolean lies;

  HubServer() throws IOException {
    hub.createContext("/api/datasets/", this::api);
    hub.createContext("/datasets/", this::resolve);
    store.createContext("/", this::blob);
    hub.start();
    store.start();
  }

  URI endpoint() {
    return URI.create("http://127.0.0.1:" + hub.getAddress().getPort());
  }

  /** Files with "large" in their name are in the store. */
  HubServer file(String path, byte[] content) {
    files.put(path, content);
    return this;
  }

  HubServer demand(String value) {
    token = value;
    return this;
  }

  HubServer commit(String value) {
    commit = value;
    return this;
  }

  /** Every answer with a file ends after so many bytes. */
  HubServer cutAfter(int bytes) {
    bytesBeforeCut = bytes;
    return this;
  }

  /** The next answers with a file are errors. */
  HubServer fail(int times) {
    failures = times;
    return this;
  }

  /** Checksums in the listing are of something else. */
  HubServer lie() {
    lies = true;
    return this;
  }

  /** Path, range and who asked, of every request for a file. */
  List<String> fileRequests() {
    return requests;
  }

  @Override
  public void close() {
    hub.stop(0);
    store.stop(0);
  }

  private void api(HttpExchange exchange) throws IOException {
    if (refused(exchange)) {
      return;
    }
    String path = exchange.getRequestURI().getPath();
    String revision = exchange.getRequestURI().getRawPath();
    if (revision.equals("/api/datasets/org/name/revision/main")
        || revision.equals("/api/datasets/org/name/revision/refs%2Fpr%2F1")) {
      answer(exchange, 200, JSON.writeValueAsBytes(Map.of("sha", commit)));
    } else if (path.equals("/api/datasets/org/name/tree/" + COMMIT)) {
      listing(exchange);
    } else {
      answer(exchange, 404, new byte[0]);
    }
  }

  private void listing(HttpExchange exchange) throws IOException {
    String query = exchange.getRequestURI().getQuery();
    int start = query.contains("cursor=") ? Integer.parseInt(query.replaceAll(".*cursor=", "")) : 0;
    List<Map<String, Object>> entries = new ArrayList<>();
    entries.add(Map.of("type", "directory", "path", "data", "size", 0));
    List<Map.Entry<String, byte[]>> all = List.copyOf(files.entrySet());
    int end = Math.min(all.size(), start + PAGE);
    for (Map.Entry<String, byte[]> file : all.subList(start, end)) {
      entries.add(entry(file.getKey(), file.getValue()));
    }
    if (end < all.size()) {
      String next =
          endpoint() + exchange.getRequestURI().getPath() + "?recursive=true&cursor=" + end;
      exchange.getResponseHeaders().add("Link", "<" + next + ">; rel=\"next\"");
    }
    answer(exchange, 200, JSON.writeValueAsBytes(entries));
  }

  private Map<String, Object> entry(String path, byte[] content) {
    byte[] said = lies ? new byte[content.length] : content;
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("type", "file");
    entry.put("path", path);
    entry.put("size", content.length);
    byte[] header =
        ("blob " + content.length + "\0").getBytes(java.nio.charset.StandardCharsets.UTF_8);
    entry.put("oid", digest("SHA-1", header, said));
    if (path.contains("large")) {
      entry.put("lfs", Map.of("oid", digest("SHA-256", said), "size", content.length));
    }
    return entry;
  }

  private void resolve(HttpExchange exchange) throws IOException {
    if (refused(exchange)) {
      return;
    }
    String path =
        exchange
            .getRequestURI()
            .getPath()
            .replace("/datasets/org/name/resolve/" + COMMIT + "/", "");
    if (path.contains("large")) {
      String location = "http://127.0.0.1:" + store.getAddress().getPort() + "/" + path;
      exchange.getResponseHeaders().add("Location", location.replace(" ", "%20"));
      answer(exchange, 302, new byte[0]);
    } else {
      file(exchange, path);
    }
  }

  private void blob(HttpExchange exchange) throws IOException {
    file(exchange, exchange.getRequestURI().getPath().substring(1));
  }

  private void file(HttpExchange exchange, String path) throws IOException {
    String range = exchange.getRequestHeaders().getFirst("Range");
    String asker = exchange.getRequestHeaders().getFirst("Authorization");
    requests.add(path + " " + range + " " + asker);
    if (failures-- > 0) {
      answer(exchange, 503, new byte[0]);
      return;
    }
    byte[] content = files.get(path);
    String[] ends = range == null ? null : range.substring("bytes=".length()).split("-");
    int start = range == null ? 0 : Integer.parseInt(ends[0]);
    int length = (range == null ? content.length : Integer.parseInt(ends[1]) + 1) - start;
    int sent = Math.min(length, bytesBeforeCut);
    if (range != null) {
      exchange
          .getResponseHeaders()
          .add("Content-Range", "bytes %s-%s/%s".formatted(ends[0], ends[1], content.length));
    }
    exchange.sendResponseHeaders(range == null ? 200 : 206, Math.max(1, length));
    exchange.getResponseBody().write(content, start, sent);
    exchange.close();
  }

  private boolean refused(HttpExchange exchange) throws IOException {
    String given = exchange.getRequestHeaders().getFirst("Authorization");
    if (token == null || ("Bearer " + token).equals(given)) {
      return false;
    }
    answer(exchange, 401, new byte[0]);
    return true;
  }

  private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
    exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  private static String digest(String algorithm, byte[]... parts) {
    try {
      MessageDigest digest = MessageDigest.getInstance(algorithm);
      for (byte[] part : parts) {
        digest.update(part);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static HttpServer server() throws IOException {
    return HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
  }
}
