package dev.anneal.data.hub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.error.InvalidDataException;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
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

  /** Answers of a store whose signed address is too old. */
  private static final Set<Integer> STALE = Set.of(400, 401, 403, 404, 410);

  private final HubEnvironment environment;
  private final Patience patience;

  /** Where the content of a file lies, by its address on the hub. */
  private final Map<URI, Place> places = new ConcurrentHashMap<>();

  /** What the hub called the version of a file that came first, by its address there. */
  private final Map<URI, String> versions = new ConcurrentHashMap<>();

  /** A client with a patience of its own. */
  public HubClient(HubEnvironment environment, Patience patience) {
    this.environment = environment;
    this.patience = patience;
  }

  private record Place(URI uri, String version) {}

  private record Answer(HttpAnswer response, String version) {}

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

  /** Whether nobody must be asked. */
  boolean isOffline() {
    return environment.offline();
  }

  /** The commit that a revision stands for at the moment. */
  public String commit(HubRepository repository, String revision) throws IOException {
    URI uri = repository.api(environment.endpoint(), "revision", revision);
    Asked asked = new Asked(repository, revision, null, environment);
    String commit =
        patience.insist(
            () -> {
              try (HttpAnswer answer = get(uri, null, asked).response) {
                return JSON.readTree(answer.readAll()).path("sha").asText();
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
    Set<URI> seen = new HashSet<>();
    while (page != null) {
      if (!seen.add(page)) {
        throw new IOException("the list of files of commit %s has no end".formatted(commit));
      }
      URI current = page;
      page = patience.insist(() -> list(current, asked, files));
    }
    return files;
  }

  /** Adds the files of a page; returns the next one. */
  private URI list(URI page, Asked asked, List<HubFile> files) throws IOException {
    try (HttpAnswer answer = get(page, null, asked).response) {
      for (JsonNode entry : JSON.readTree(answer.readAll())) {
        if (entry.path("type").asText().equals("file")) {
          files.add(file(entry));
        }
      }
      return nextPage(answer, page);
    }
  }

  private static HubFile file(JsonNode entry) {
    JsonNode large = entry.path("lfs");
    return new HubFile(
        entry.path("path").asText(),
        entry.path("size").asLong(),
        large.path("oid").textValue(),
        entry.path("oid").textValue());
  }

  private static URI nextPage(HttpAnswer answer, URI page) {
    Optional<Matcher> next = answer.header("Link").map(NEXT_PAGE::matcher).filter(Matcher::find);
    return next.map(link -> page.resolve(link.group(1))).orElse(null);
  }

  /**
   * A stretch of a file.
   *
   * @param start place in the file of the answer's first byte
   */
  record Content(HttpAnswer answer, long start) {}

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
    try {
      String version = versions.putIfAbsent(uri, answer.version);
      if (version != null && !version.equals(answer.version)) {
        throw new ChangedException(file.path());
      }
      long first = new ContentRange(answer.response).require(file, range == null ? 0 : start);
      return new Content(answer.response, first);
    } catch (IOException | RuntimeException e) {
      answer.response.close();
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
      HttpAnswer answer = send(known.uri, range);
      if (answer.isContent()) {
        return new Answer(answer, known.version);
      }
      answer.close();
      if (!STALE.contains(answer.status())) {
        throw asked.failure(answer, false);
      }
      places.remove(uri, known);
    }
    return follow(uri, range, asked);
  }

  private Answer follow(URI uri, String range, Asked asked) throws IOException {
    URI target = uri;
    String linked = null;
    for (int i = 0; i < MAX_REDIRECTS; i++) {
      HttpAnswer answer = send(target, range);
      boolean ofHub = environment.isHub(target);
      if (ofHub && linked == null) {
        linked = tag(answer, "X-Linked-Etag");
      }
      if (answer.isContent()) {
        String version = linked == null ? String.valueOf(tag(answer, "ETag")) : linked;
        if (!ofHub) {
          // the hub counts how often it is asked, and a file may have hundreds of parts
          places.put(uri, new Place(target, version));
        }
        return new Answer(answer, version);
      }
      answer.close();
      Optional<String> location = answer.header("Location");
      if (answer.status() / 100 != 3 || location.isEmpty()) {
        throw asked.failure(answer, ofHub);
      }
      target = redirected(target, location.get());
    }
    throw new IOException("more than " + MAX_REDIRECTS + " redirects");
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
  private static String tag(HttpAnswer answer, String header) {
    return answer
        .header(header)
        .map(tag -> tag.replaceFirst("^W/", "").replace("\"", ""))
        .orElse(null);
  }

  private HttpAnswer send(URI uri, String range) throws IOException {
    Map<String, String> headers = new HashMap<>(Map.of("User-Agent", "anneal", "Accept", "*/*"));
    if (range != null) {
      headers.put("Range", range);
    }
    if (environment.token() != null && environment.isHub(uri)) {
      headers.put("Authorization", "Bearer " + environment.token());
    }
    HubProxies proxies = environment.proxies();
    proxies.authorization(uri).ifPresent(value -> headers.put("Proxy-Authorization", value));
    return HttpAnswer.get(uri, proxies.forJava(uri).orElse(null), headers);
  }
}
