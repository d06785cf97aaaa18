package dev.anneal.data.hub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.error.InvalidDataException;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The Hugging Face hub's HTTP interface, as far as models and data sets are read. The token goes to
 * the hub alone, never to a store that it redirects to. What the user can put right is refused with
 * an {@link InvalidDataException}; anything else is an {@code IOException} and may pass.
 */
public final class HubClient {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern NEXT_PAGE = Pattern.compile("<([^>]+)>\\s*;\\s*rel=\"next\"");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
  private static final int MAX_REDIRECTS = 10;
  private static final Duration ANSWER = Duration.ofMinutes(2);
  private static final Duration SILENCE = Duration.ofSeconds(60);

  /** Answers of a store whose signed address is too old. */
  private static final Set<Integer> STALE = Set.of(400, 401, 403, 404, 410);

  private final HubEnvironment environment;
  private final Patience patience;
  private final HttpClient http;

  /** Where the content of a file lies, by its address on the hub. */
  private final Map<URI, Place> places = new ConcurrentHashMap<>();

  /** What the hub called the version of a file that came first, by its address there. */
  private final Map<URI, String> versions = new ConcurrentHashMap<>();

  /** A client with the usual patience. */
  public HubClient(HubEnvironment environment) {
    this(environment, Patience.USUAL);
  }

  /** A client with a patience of its own. */
  public HubClient(HubEnvironment environment, Patience patience) {
    this.environment = environment;
    this.patience = patience;
    // over one connection of HTTP/2 all parts of a file would share its window
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(Duration.ofSeconds(30));
    environment.proxies().selector().ifPresent(builder::proxy);
    this.http = builder.build();
  }

  private record Place(URI uri, String version) {}

  private record Answer(HttpResponse<InputStream> response, String version) {}

  /** A file is no longer what it was when its first bytes came. */
  public static final class ChangedException extends IOException {
    private static final long serialVersionUID = 1L;

    ChangedException(String path) {
      super("'" + path + "' has changed on the hub while it was fetched");
    }
  }

  /** The hub asks to wait. */
  static final class BusyException extends IOException {
    private static final long serialVersionUID = 1L;

    final transient Duration wait;

    BusyException(int status, Duration wait) {
      super("status %s, to be asked again in %s s".formatted(status, wait.toSeconds()));
      this.wait = wait;
    }
  }

  /** The commit that a revision stands for at the moment. */
  public String commit(HubRepository repository, String revision) throws IOException {
    URI uri = repository.api(environment.endpoint(), "revision", revision);
    Asked asked = new Asked(repository, revision, null, environment);
    String commit =
        patience.insist(
            () -> {
              try (InputStream in = get(uri, null, asked).response.body()) {
                return JSON.readTree(in).path("sha").asText();
              }
            });
    if (!COMMIT.matcher(commit).matches()) {
      throw new IOException("'" + commit + "' is no commit");
    }
    return commit;
  }

  /** All files of a commit. */
  public List<HubFile> files(HubRepository repository, String commit) throws IOException {
    List<HubFile> files = new ArrayList<>();
    Asked asked = new Asked(repository, commit, null, environment);
    URI page =
        URI.create(repository.api(environment.endpoint(), "tree", commit) + "?recursive=true");
    while (page != null) {
      URI current = page;
      page = patience.insist(() -> list(current, asked, files));
    }
    return files;
  }

  /** Adds the files of a page; returns the next one. */
  private URI list(URI page, Asked asked, List<HubFile> files) throws IOException {
    HttpResponse<InputStream> response = get(page, null, asked).response;
    JsonNode entries;
    try (InputStream in = response.body()) {
      entries = JSON.readTree(in);
    }
    for (JsonNode entry : entries) {
      if (entry.path("type").asText().equals("file")) {
        files.add(file(entry));
      }
    }
    return nextPage(response, page);
  }

  private static HubFile file(JsonNode entry) {
    JsonNode large = entry.path("lfs");
    return new HubFile(
        entry.path("path").asText(),
        entry.path("size").asLong(),
        large.path("oid").textValue(),
        entry.path("oid").textValue());
  }

  private static URI nextPage(HttpResponse<?> response, URI page) {
    Optional<Matcher> next =
        response.headers().firstValue("Link").map(NEXT_PAGE::matcher).filter(Matcher::find);
    return next.map(link -> page.resolve(link.group(1))).orElse(null);
  }

  /**
   * A stretch of a file.
   *
   * @param start place in the file of the stream's first byte
   */
  public record Content(InputStream in, long start) {}

  /**
   * Opens a stretch of a file; the hub may choose to give the whole file nevertheless. To go on
   * where an answer breaks off is the affair of {@link HubReader}.
   *
   * @param end behind the last byte
   * @throws ChangedException if the file is another than at the first time
   */
  Content open(HubRepository repository, String commit, HubFile file, long start, long end)
      throws IOException {
    URI uri = repository.file(environment.endpoint(), commit, file.path());
    boolean whole = start == 0 && end == file.bytes();
    String range = whole ? null : "bytes=%s-%s".formatted(start, end - 1);
    Answer answer = get(uri, range, new Asked(repository, commit, file.path(), environment));
    InputStream in = answer.response.body();
    try {
      String version = versions.putIfAbsent(uri, answer.version);
      if (version != null && !version.equals(answer.version)) {
        throw new ChangedException(file.path());
      }
      long first = new ContentRange(answer.response).require(file, range == null ? 0 : start);
      return new Content(StallGuard.around(in, SILENCE), first);
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  /** A reader of a file, which asks as often as it must. */
  public HubReader reader(HubRepository repository, String commit, HubFile file) {
    return new HubReader(this, patience, repository, commit, file);
  }

  /**
   * The file with the SHA-256 that its content was sent with, where the listing has none; it is
   * known when the first bytes have come.
   */
  public HubFile known(HubRepository repository, String commit, HubFile file) {
    String version =
        versions.getOrDefault(repository.file(environment.endpoint(), commit, file.path()), "");
    return file.sha256() == null && SHA256.matcher(version).matches()
        ? new HubFile(file.path(), file.bytes(), version, file.gitSha1())
        : file;
  }

  private Answer get(URI uri, String range, Asked asked) throws IOException {
    Place known = places.get(uri);
    if (known != null) {
      HttpResponse<InputStream> response = send(known.uri, range);
      if (isContent(response)) {
        return new Answer(response, known.version);
      }
      response.body().close();
      if (!STALE.contains(response.statusCode())) {
        throw asked.failure(response, false);
      }
      places.remove(uri, known);
    }
    return follow(uri, range, asked);
  }

  private Answer follow(URI uri, String range, Asked asked) throws IOException {
    URI target = uri;
    String linked = null;
    for (int i = 0; i < MAX_REDIRECTS; i++) {
      HttpResponse<InputStream> response = send(target, range);
      boolean ofHub = environment.isHub(target);
      if (ofHub && linked == null) {
        linked = tag(response, "X-Linked-Etag");
      }
      if (isContent(response)) {
        String version = linked == null ? String.valueOf(tag(response, "ETag")) : linked;
        if (!ofHub) {
          // the hub counts how often it is asked, and a file may have hundreds of parts
          places.put(uri, new Place(target, version));
        }
        return new Answer(response, version);
      }
      response.body().close();
      Optional<String> location = response.headers().firstValue("Location");
      if (response.statusCode() / 100 != 3 || location.isEmpty()) {
        throw asked.failure(response, ofHub);
      }
      target = redirected(target, location.get());
    }
    throw new IOException("more than " + MAX_REDIRECTS + " redirects");
  }

  private static boolean isContent(HttpResponse<?> response) {
    return response.statusCode() == 200 || response.statusCode() == 206;
  }

  private static URI redirected(URI from, String location) throws IOException {
    try {
      URI target = from.resolve(location);
      if (target.getHost() != null && String.valueOf(target.getScheme()).matches("https?")) {
        return target;
      }
      throw new IOException("a redirect to '%s'".formatted(location));
    } catch (IllegalArgumentException e) {
      throw new IOException("a redirect to '%s'".formatted(location), e);
    }
  }

  /** A version without the marks of HTTP; null where there is none. */
  private static String tag(HttpResponse<?> response, String header) {
    return response
        .headers()
        .firstValue(header)
        .map(tag -> tag.replaceFirst("^W/", "").replace("\"", ""))
        .orElse(null);
  }

  private HttpResponse<InputStream> send(URI uri, String range) throws IOException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(uri).timeout(ANSWER).header("User-Agent", "anneal");
    if (range != null) {
      request.header("Range", range);
    }
    if (environment.token() != null && environment.isHub(uri)) {
      request.header("Authorization", "Bearer " + environment.token());
    }
    environment
        .proxies()
        .authorization(uri)
        .ifPresent(value -> request.header("Proxy-Authorization", value));
    try {
      return http.send(request.build(), BodyHandlers.ofInputStream());
    } catch (ConnectException e) {
      throw new IOException("no connection to " + uri.getAuthority(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
