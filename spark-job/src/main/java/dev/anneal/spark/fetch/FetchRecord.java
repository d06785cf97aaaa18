package dev.anneal.spark.fetch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.hub.HubFile;
import dev.anneal.data.hub.HubRepository;
import dev.anneal.data.hub.HubSelection;
import dev.anneal.spark.BadRequestException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What a folder was fetched from, and whether all of it has come: {@code .anneal-fetch.json}.
 *
 * @param revision that was asked for
 * @param commit that it stood for, and that every file is of
 * @param selection that was asked for at last
 */
record FetchRecord(
    HubRepository repository,
    String endpoint,
    String revision,
    String commit,
    HubSelection selection,
    State state,
    List<HubFile> files) {

  static final String NAME = ".anneal-fetch.json";

  private static final int VERSION = 1;
  private static final ObjectMapper JSON = new ObjectMapper();

  /** How far it is. */
  enum State {
    FETCHING,
    COMPLETE
  }

  FetchRecord in(State other) {
    return new FetchRecord(repository, endpoint, revision, commit, selection, other, files);
  }

  FetchRecord with(List<HubFile> others) {
    return new FetchRecord(repository, endpoint, revision, commit, selection, state, others);
  }

  /** Whether every file of the commit that such a selection wants is listed. */
  boolean covers(HubSelection wanted) {
    boolean isPart =
        !wanted.include().isEmpty()
            && selection.include().containsAll(wanted.include())
            && selection.exclude().equals(wanted.exclude());
    return selection.equals(HubSelection.ALL) || selection.equals(wanted) || isPart;
  }

  boolean isComplete() {
    return state == State.COMPLETE;
  }

  /** Whether it has the file with this content. */
  boolean has(HubFile file) {
    return files.stream()
        .anyMatch(
            mine -> mine.path().equals(file.path()) && mine.checksum().equals(file.checksum()));
  }

  byte[] json() throws IOException {
    ObjectNode json = JSON.createObjectNode();
    json.put("version", VERSION);
    json.put("repository", repository.name());
    json.put("type", repository.type().name().toLowerCase(Locale.ROOT));
    json.put("endpoint", endpoint);
    json.put("revision", revision);
    json.put("commit", commit);
    selection.include().forEach(json.putArray("include")::add);
    selection.exclude().forEach(json.putArray("exclude")::add);
    json.put("state", state.name().toLowerCase(Locale.ROOT));
    for (HubFile file : files) {
      ObjectNode entry = json.withArray("files").addObject();
      entry.put("path", file.path()).put("bytes", file.bytes());
      if (file.sha256() != null) {
        entry.put("sha256", file.sha256());
      } else {
        entry.put("git_sha1", file.gitSha1());
      }
    }
    return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json);
  }

  /**
   * Reads what {@link #json} has written.
   *
   * @throws BadRequestException if it is something else
   */
  static FetchRecord read(byte[] bytes, String where) {
    try {
      JsonNode json = JSON.readTree(bytes);
      if (json.path("version").asInt() != VERSION) {
        throw new IOException("version " + json.path("version"));
      }
      List<HubFile> files = new ArrayList<>();
      for (JsonNode entry : json.path("files")) {
        files.add(
            new HubFile(
                entry.path("path").asText(),
                entry.path("bytes").asLong(),
                entry.path("sha256").textValue(),
                entry.path("git_sha1").textValue()));
      }
      return new FetchRecord(
          new HubRepository(
              HubRepository.Type.valueOf(upper(json, "type")), json.path("repository").asText()),
          json.path("endpoint").asText(),
          json.path("revision").asText(),
          json.path("commit").asText(),
          new HubSelection(texts(json.path("include")), texts(json.path("exclude"))),
          State.valueOf(upper(json, "state")),
          files);
    } catch (IOException | RuntimeException e) {
      throw new BadRequestException(
          "%s/%s is damaged (%s): remove it, or choose another folder."
              .formatted(where, NAME, e.getMessage()),
          e);
    }
  }

  private static List<String> texts(JsonNode array) {
    List<String> texts = new ArrayList<>();
    array.forEach(text -> texts.add(text.asText()));
    return texts;
  }

  private static String upper(JsonNode json, String key) {
    return json.path(key).asText().toUpperCase(Locale.ROOT);
  }
}
