package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import java.io.Serializable;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/**
 * A model or data set of the hub.
 *
 * @param name {@code <org>/<name>}; models from the hub's first days have no {@code <org>}
 */
public record HubRepository(Type type, String name) implements Serializable {
  private static final long serialVersionUID = 1L;

  /** One part of a name. */
  static final String WORD = "[A-Za-z0-9_][A-Za-z0-9_.-]*";

  private static final Pattern NAME = Pattern.compile(WORD + "(/" + WORD + ")?");

  /** What a repository holds, which the hub's addresses go by. */
  public enum Type {
    MODEL("model", "/api/models/", "/"),
    DATASET("data set", "/api/datasets/", "/datasets/");

    private final String title;
    private final String api;
    private final String files;

    Type(String title, String api, String files) {
      this.title = title;
      this.api = api;
      this.files = files;
    }
  }

  /** Refuses what is no name of a repository. */
  public HubRepository {
    if (!NAME.matcher(name).matches() || name.contains("..") || name.contains("--")) {
      throw new InvalidDataException(
          "'%s' is not the name of a %s of the hub: write it as ORG/NAME."
              .formatted(name, type.title));
    }
  }

  /** What a sentence calls it. */
  public String display() {
    return "%s '%s'".formatted(type.title, name);
  }

  /** Where people read about it, and accept its terms if it has any. */
  public URI page(URI endpoint) {
    return URI.create(endpoint + type.files + name);
  }

  /** Address of a view of the hub's interface. */
  URI api(URI endpoint, String view, String... segments) {
    return uri(endpoint + type.api + name, view, segments);
  }

  /** Address of a file. */
  URI file(URI endpoint, String commit, String path) {
    return uri(endpoint + type.files + name, "resolve", (commit + "/" + path).split("/"));
  }

  private static URI uri(String repository, String view, String... segments) {
    StringBuilder uri = new StringBuilder(repository).append('/').append(view);
    for (String segment : segments) {
      uri.append('/')
          .append(URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20"));
    }
    return URI.create(uri.toString());
  }
}
