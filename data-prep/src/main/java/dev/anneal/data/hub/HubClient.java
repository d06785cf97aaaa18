package dev.anneal.data.hub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.error.InvalidDataException;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The Hugging Face hub's HTTP interface, as far as data sets need it. The token goes to the hub
 * alone, never to a store that it redirects to.
 */
final class HubClient {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern NEXT_PAGE = Pattern.compile("<([^>]+)>\\s*;\\s*rel=\"next\"");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
  private static final String API = "/api/datasets/";
  private static final String FILES = "/datasets/";
  private static final int MAX_REDIRECTS = 10;

  private final HttpClient http =
      HttpClient.newBuilder()
          .followRedirects(HttpClient.Redirect.NEVER)
          .connectTimeout(Duration.ofSeconds(30))
          .build();
  private final URI endpoint;
  private final String token;

  /**
   * @param token may be null: then only what is public can be read
   */
  HubClient(URI endpoint, String token) {
    this.endpoint = endpoint;
    this.token = token;
  }

  /**
   * A stretch of a file.
   *
   * @param start place in the file of the stream's first byte
   */
  record Content(InputStream in, long start) {}

  /** The commit that a revision stands for at the moment. */
  String commit(HubName name) throws IOException {
    URI uri = uri(API, name, "revision", name.revision());
    try (InputStream in = get(uri, 0, name).body()) {
      String commit = JSON.readTree(in).path("sha").asText();
      if (!COMMIT.matcher(commit).matches()) {
        throw new IOException("'" + commit + "' is no commit");
      }
      return commit;
    }
  }

  /** All files of a commit. */
  List<HubFile> files(HubName name, String commit) throws IOException {
    List<HubFile> files = new ArrayList<>();
    URI page = URI.create(uri(API, name, "tree", commit) + "?recursive=true");
    while (page != null) {
      HttpResponse<InputStream> response = get(page, 0, name);
      try (InputStream in = response.body()) {
        for (JsonNode entry : JSON.readTree(in)) {
          if (entry.path("type").asText().equals("file")) {
            files.add(file(entry));
          }
        }
      }
      page = nextPage(response, page);
    }
    return files;
  }

  /** Opens a file at a place; the hub may choose to begin at 0 nevertheless. */
  Content open(HubName name, String commit, HubFile file, long start) throws IOException {
    String[] path = (commit + "/" + file.path()).split("/");
    URI uri = uri(FILES, name, "resolve", path);
    HttpResponse<InputStream> response = get(uri, start, name);
    boolean partial = response.statusCode() == 206;
    return new Content(response.body(), partial ? start : 0);
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

  private HttpResponse<InputStream> get(URI uri, long start, HubName name) throws IOException {
    URI target = uri;
    for (int i = 0; i < MAX_REDIRECTS; i++) {
      HttpResponse<InputStream> response = send(target, start);
      int status = response.statusCode();
      if (status == 200 || status == 206) {
        return response;
      }
      response.body().close();
      Optional<String> location = response.headers().firstValue("Location");
      if (status / 100 != 3 || location.isEmpty()) {
        throw failure(status, name);
      }
      target = target.resolve(location.get());
    }
    throw new IOException("more than " + MAX_REDIRECTS + " redirects");
  }

  private HttpResponse<InputStream> send(URI uri, long start) throws IOException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(uri).timeout(Duration.ofMinutes(2)).header("User-Agent", "anneal");
    if (start > 0) {
      request.header("Range", "bytes=" + start + "-");
    }
    if (token != null && isHub(uri)) {
      request.header("Authorization", "Bearer " + token);
    }
    try {
      return http.send(request.build(), BodyHandlers.ofInputStream());
    } catch (ConnectException e) {
      throw new IOException("no connection to " + uri.getAuthority(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private boolean isHub(URI uri) {
    return endpoint.getScheme().equals(uri.getScheme())
        && endpoint.getAuthority().equals(uri.getAuthority());
  }

  /** Something that the user can put right is refused; anything else may pass. */
  private IOException failure(int status, HubName name) {
    String dataset = "The data set '" + name.repository() + "' of " + endpoint;
    if (status == 401 || status == 403) {
      throw new InvalidDataException(
          dataset
              + " may not be read (status "
              + status
              + "): set the environment variable HF_TOKEN to a token that may, and accept the terms"
              + " of the data set if it has any.");
    }
    if (status == 404) {
      throw new InvalidDataException(
          dataset
              + " with revision '"
              + name.revision()
              + "' is not there: check the name, or set HF_TOKEN if it is private.");
    }
    return new IOException("status " + status);
  }

  private URI uri(String kind, HubName name, String view, String... segments) {
    StringBuilder uri = new StringBuilder(endpoint.toString().replaceFirst("/+$", ""));
    uri.append(kind).append(name.repository()).append('/').append(view);
    for (String segment : segments) {
      uri.append('/')
          .append(URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20"));
    }
    return URI.create(uri.toString());
  }
}
