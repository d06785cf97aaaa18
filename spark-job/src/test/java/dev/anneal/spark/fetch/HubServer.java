package dev.anneal.spark.fetch;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/**
 * Speaks the interface of the Hugging Face hub for one repository, {@code org/name} if no other is
 * named, as a model and as a data set: revisions, listing in pages, and files, of which those in
 * large-file storage are redirected to a store on another port. It breaks what tests want broken.
 */
public final class HubServer implements AutoCloseable {
  /** What {@code main} stands for at first. */
  public static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int PAGE = 3;
  private static final int CHUNK = 1 << 16;

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final HttpServer hub = server();
  private final HttpServer store = server();
  private final Map<String, Content> files = new LinkedHashMap<>();
  private final List<Asked> requests = new CopyOnWriteArrayList<>();
  private final AtomicInteger failures = new AtomicInteger();
  private final String repository;
  private volatile String commit = COMMIT;
  private volatile String token;
  private volatile String gate;
  private volatile long bytesBeforeCut = Long.MAX_VALUE;
  private volatile int failure;
  private volatile String retryAfter;
  private volatile boolean lies;
  private volatile boolean ignoresRanges;
  private volatile long pauseMillis;
  private final AtomicInteger signature = new AtomicInteger();
  private volatile String broken = "";

  /** What share of each answer that is under way has been sent. */
  private final Map<HttpExchange, Double> underWay = new ConcurrentHashMap<>();

  /** A request for a file: at the hub or at its store. */
  public record Asked(String path, String range, String token, boolean ofHub) {}

  /** Bytes that need not be in memory. */
  private record Content(byte[] head, long size, boolean isLarge, String sha256, String gitSha1) {}

  /** Starts it with no files. */
  public HubServer() throws IOException {
    this("org/name");
  }

  /** The same for a repository of that name. */
  public HubServer(String repository) throws IOException {
    this.repository = Pattern.quote(repository);
    hub.createContext("/api/", this::api);
    hub.createContext("/", this::resolve);
    store.createContext("/", this::blob);
    hub.start();
    store.start();
  }

  private HttpServer server() throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    return server;
  }

  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + hub.getAddress().getPort());
  }

  /** A file in git. */
  public HubServer small(String path, String content) {
    byte[] bytes = content.getBytes(UTF_8);
    byte[] header = ("blob " + bytes.length + "\0").getBytes(UTF_8);
    files.put(path, new Content(bytes, bytes.length, false, null, digest("SHA-1", header, bytes)));
    return this;
  }

  /** A file in large-file storage. */
  public HubServer large(String path, byte[] content) {
    files.put(path, new Content(content, content.length, true, digest("SHA-256", content), "0"));
    return this;
  }

  /** A file in large-file storage that begins so and goes on with zeros; its checksum is wrong. */
  public HubServer endless(String path, byte[] head, long size) {
    files.put(path, new Content(head, size, true, "0".repeat(64), "0"));
    return this;
  }

  public HubServer commit(String value) {
    commit = value;
    return this;
  }

  /** Only this token may read. */
  public HubServer demand(String value) {
    token = value;
    return this;
  }

  /** Everything of the repository is answered with this code of an error. */
  public HubServer gate(String code) {
    gate = code;
    return this;
  }

  /** Every answer with a file ends after so many bytes. */
  public HubServer cutAfter(long bytes) {
    bytesBeforeCut = bytes;
    return this;
  }

  /** The next requests for files are answered with this status. */
  public HubServer fail(int times, int status, String retryAfterHeader) {
    failure = status;
    retryAfter = retryAfterHeader;
    failures.set(times);
    return this;
  }

  /** Checksums in the listing are of something else. */
  public HubServer lie() {
    lies = true;
    return this;
  }

  public HubServer ignoreRanges() {
    ignoresRanges = true;
    return this;
  }

  /** Requests for this file are answered with 500. */
  public HubServer breakFile(String path) {
    broken = path;
    return this;
  }

  /** Waits so long before each 64 KiB. */
  public HubServer slow(long millis) {
    pauseMillis = millis;
    return this;
  }

  /** Addresses of the store that were given out before are answered with 403. */
  public HubServer expire() {
    signature.incrementAndGet();
    return this;
  }

  /** Requests for files, in their order. */
  public List<Asked> requests() {
    return requests;
  }

  /** Those that contents came for. */
  public List<Asked> contents() {
    return requests.stream()
        .filter(asked -> !asked.ofHub() || !files.get(asked.path()).isLarge())
        .toList();
  }

  /** Whether so many contents are being sent now, and all of them for a good while longer. */
  public boolean isInTheMiddleOf(int contents) {
    List<Double> shares = List.copyOf(underWay.values());
    return shares.size() == contents
        && shares.stream().allMatch(share -> share > 0.1 && share < 0.8);
  }

  @Override
  public void close() {
    hub.stop(0);
    store.stop(0);
    threads.shutdownNow();
  }

  private void api(HttpExchange exchange) throws IOException {
    if (refused(exchange)) {
      return;
    }
    String path =
        exchange
            .getRequestURI()
            .getPath()
            .replaceFirst("^/api/(models|datasets)/" + repository + "/", "");
    if (path.equals("revision/main") || path.equals("revision/" + commit)) {
      answer(exchange, 200, JSON.writeValueAsBytes(Map.of("sha", commit)));
    } else if (path.startsWith("tree/")) {
      listing(exchange);
    } else {
      boolean known = path.startsWith("revision/");
      exchange
          .getResponseHeaders()
          .add("X-Error-Code", known ? "RevisionNotFound" : "RepoNotFound");
      answer(exchange, 404, new byte[0]);
    }
  }

  private void listing(HttpExchange exchange) throws IOException {
    String query = exchange.getRequestURI().getQuery();
    int start = query.contains("cursor=") ? Integer.parseInt(query.replaceAll(".*cursor=", "")) : 0;
    List<Map<String, Object>> entries = new ArrayList<>();
    List<Map.Entry<String, Content>> all = List.copyOf(files.entrySet());
    int end = Math.min(all.size(), start + PAGE);
    entries.add(Map.of("type", "directory", "path", "original", "size", 0));
    all.subList(start, end).forEach(file -> entries.add(entry(file.getKey(), file.getValue())));
    if (end < all.size()) {
      String next =
          endpoint() + exchange.getRequestURI().getPath() + "?recursive=true&cursor=" + end;
      exchange.getResponseHeaders().add("Link", "<" + next + ">; rel=\"next\"");
    }
    answer(exchange, 200, JSON.writeValueAsBytes(entries));
  }

  private Map<String, Object> entry(String path, Content content) {
    String wrong = "f".repeat(64);
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("type", "file");
    entry.put("path", path);
    entry.put("size", content.size());
    entry.put("oid", lies ? wrong.substring(24) : content.gitSha1());
    if (content.isLarge()) {
      entry.put("lfs", Map.of("oid", lies ? wrong : content.sha256(), "size", content.size()));
      entry.put("xetHash", wrong);
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
            .replaceFirst("^(/datasets)?/" + repository + "/resolve/[0-9a-f]{40}/", "");
    Content content = files.get(path);
    if (content == null) {
      answer(exchange, 404, new byte[0]);
    } else if (content.isLarge()) {
      requests.add(asked(exchange, path, true));
      if (failed(exchange)) {
        return;
      }
      String location = "http://127.0.0.1:" + store.getAddress().getPort() + "/" + path;
      exchange.getResponseHeaders().add("Location", location + "?signature=" + signature);
      exchange.getResponseHeaders().add("X-Linked-Etag", '"' + content.sha256() + '"');
      answer(exchange, 302, new byte[0]);
    } else {
      exchange.getResponseHeaders().add("ETag", '"' + content.gitSha1() + '"');
      file(exchange, path, true);
    }
  }

  private void blob(HttpExchange exchange) throws IOException {
    if (!exchange.getRequestURI().getQuery().equals("signature=" + signature)) {
      answer(exchange, 403, new byte[0]);
      return;
    }
    file(exchange, exchange.getRequestURI().getPath().substring(1), false);
  }

  private static Asked asked(HttpExchange exchange, String path, boolean ofHub) {
    return new Asked(
        path,
        exchange.getRequestHeaders().getFirst("Range"),
        exchange.getRequestHeaders().getFirst("Authorization"),
        ofHub);
  }

  private boolean failed(HttpExchange exchange) throws IOException {
    if (failures.getAndUpdate(left -> Math.max(0, left - 1)) == 0) {
      return false;
    }
    if (retryAfter != null) {
      String header = retryAfter.startsWith("\"") ? "RateLimit" : "Retry-After";
      exchange.getResponseHeaders().add(header, retryAfter);
    }
    answer(exchange, failure, new byte[0]);
    return true;
  }

  private void file(HttpExchange exchange, String path, boolean ofHub) throws IOException {
    Asked asked = asked(exchange, path, ofHub);
    if (path.equals(broken)) {
      answer(exchange, 500, new byte[0]);
      return;
    }
    requests.add(asked);
    if (failed(exchange)) {
      return;
    }
    Content content = files.get(path);
    String range = ignoresRanges ? null : asked.range();
    String[] ends = range == null ? null : range.substring("bytes=".length()).split("-");
    long start = range == null ? 0 : Long.parseLong(ends[0]);
    long end =
        range == null ? content.size() : Math.min(content.size(), Long.parseLong(ends[1]) + 1);
    if (range != null) {
      exchange
          .getResponseHeaders()
          .add("Content-Range", "bytes %s-%s/%s".formatted(start, end - 1, content.size()));
    }
    exchange.sendResponseHeaders(range == null ? 200 : 206, end == start ? -1 : end - start);
    try {
      send(exchange, content, start, start + Math.min(end - start, bytesBeforeCut));
    } catch (IOException gone) {
      // whoever asked has had enough
      return;
    } finally {
      underWay.remove(exchange);
      exchange.close();
    }
  }

  private void send(HttpExchange exchange, Content content, long start, long end)
      throws IOException {
    for (long at = start; at < end; at += CHUNK) {
      pause();
      byte[] chunk = new byte[(int) Math.min(CHUNK, end - at)];
      if (at < content.head().length) {
        int known = (int) Math.min(chunk.length, content.head().length - at);
        System.arraycopy(content.head(), (int) at, chunk, 0, known);
      }
      exchange.getResponseBody().write(chunk);
      underWay.put(exchange, (double) (at - start) / (end - start));
    }
  }

  private void pause() throws IOException {
    try {
      Thread.sleep(pauseMillis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }

  private boolean refused(HttpExchange exchange) throws IOException {
    String given = exchange.getRequestHeaders().getFirst("Authorization");
    if (gate != null) {
      exchange.getResponseHeaders().add("X-Error-Code", gate);
      answer(exchange, 403, new byte[0]);
      return true;
    }
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
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
