package dev.anneal.spark.generate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage.FileInfo;
import dev.anneal.training.io.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where answers wait until all are there: {@code .anneal-generate.NAME} beside the output. {@code
 * request.json} says what was asked, and a part has the answers to prompts that follow one another,
 * whose numbers and sum are its name: {@code FIRST-END-SHA.jsonl}. The sum is of the request and
 * the prompts, so that a part never counts for another request. Parts are written whole and are
 * never changed, so that the same command goes on behind them, and two of the same at once do each
 * other no harm.
 */
final class WorkFolder {
  private static final String REQUEST = "request.json";
  private static final Pattern PART = Pattern.compile("(\\d{12})-(\\d{12})-([0-9a-f]{32})\\.jsonl");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final RunFolder parent;
  private final GenerationOutput output;
  // each process writes its own
  private final String parquet = "parquet-" + UUID.randomUUID();
  // what every sum begins with; null before begin()
  private byte[] request;

  WorkFolder(RunFolder parent, GenerationOutput output) {
    this.parent = parent;
    this.output = output;
  }

  /**
   * Answers to prompts that follow one another.
   *
   * @param first number of the first prompt
   * @param end number behind that of the last
   * @param sha256 the first half of the sum of the request and the prompts, in hexadecimal
   */
  record Part(long first, long end, String sha256) {
    String name() {
      return String.format(Locale.ROOT, "%012d-%012d-%s.jsonl", first, end, sha256);
    }

    private static Optional<Part> of(FileInfo file) {
      Matcher name = PART.matcher(file.uri().substring(file.uri().lastIndexOf('/') + 1));
      return name.matches()
          ? Optional.of(
              new Part(Long.parseLong(name.group(1)), Long.parseLong(name.group(2)), name.group(3)))
          : Optional.empty();
    }
  }

  /** A sum for the prompts of one part, which the request has begun. */
  MessageDigest digest() {
    MessageDigest digest = Sha256.digest();
    digest.update(request);
    return digest;
  }

  /** The half of a sum that names of parts have. */
  static String sha256(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest(), 0, 16);
  }

  String display() {
    return RunFolder.display(parent.child(output.workName()));
  }

  /** What templates took for now when the request began; empty where it has not. */
  Optional<Instant> began() throws IOException {
    Optional<JsonNode> begun = request();
    try {
      return begun.map(request -> Instant.parse(request.path("began").asText()));
    } catch (DateTimeException e) {
      throw damaged(e);
    }
  }

  private Optional<JsonNode> request() throws IOException {
    if (!parent.has(child(REQUEST))) {
      return Optional.empty();
    }
    try {
      return Optional.of(JSON.readTree(parent.read(child(REQUEST))));
    } catch (JsonProcessingException e) {
      throw damaged(e);
    }
  }

  private BadRequestException damaged(Exception e) {
    return new BadRequestException(
        "%s/%s is damaged (%s): remove the folder, or name another output."
            .formatted(display(), REQUEST, e.getMessage()),
        e);
  }

  /**
   * Begins, or goes on with what an earlier request of the same has left.
   *
   * @param identity everything that decides what comes of a prompt
   * @throws BadRequestException if another request has begun there, or parts are there of which
   *     nothing says what was asked
   */
  void begin(SortedMap<String, String> identity, Instant now) throws IOException {
    Optional<JsonNode> begun = request();
    if (begun.isEmpty()) {
      if (!found().isEmpty()) {
        throw new BadRequestException(
            "%s holds answers without a %s: remove that folder.".formatted(display(), REQUEST));
      }
      ObjectNode asked = JSON.createObjectNode();
      asked.put("began", now.toString());
      identity.forEach(asked.putObject("request")::put);
      parent.write(child(REQUEST), asked.toPrettyString().getBytes(StandardCharsets.UTF_8));
      request = bytes(asked);
      return;
    }
    SortedMap<String, String> before = new TreeMap<>();
    for (Map.Entry<String, JsonNode> was : begun.get().path("request").properties()) {
      before.put(was.getKey(), was.getValue().asText());
    }
    for (Map.Entry<String, String> asked : identity.entrySet()) {
      String was = before.get(asked.getKey());
      if (!asked.getValue().equals(was)) {
        throw new BadRequestException(
            "%s holds answers of another request, whose %s was %s and not %s: remove that folder, or name another output."
                .formatted(display(), asked.getKey(), was, asked.getValue()));
      }
    }
    request = bytes(begun.get());
  }

  /** The same for a request however its file is laid out: a file keeps the order of its fields. */
  private static byte[] bytes(JsonNode request) {
    return request.toString().getBytes(StandardCharsets.UTF_8);
  }

  private List<Part> found() throws IOException {
    return parent.storage().list(parent.child(output.workName())).stream()
        .flatMap(file -> Part.of(file).stream())
        .toList();
  }

  /**
   * The parts that there are of these prompts, from the first on without a gap.
   *
   * @throws BadRequestException if a part has the answers to others
   */
  List<Part> parts(PromptSpool spool) throws IOException {
    List<Part> found = found();
    List<Part> parts = new ArrayList<>();
    try (PromptSpool.Reader prompts = spool.open()) {
      while (true) {
        long next = prompts.next();
        Optional<Part> part =
            found.stream()
                .filter(p -> p.first() == next && p.end() > next)
                .max(Comparator.comparingLong(Part::end));
        if (part.isEmpty()) {
          return parts;
        }
        requireOf(part.get(), prompts, spool.count());
        parts.add(part.get());
      }
    }
  }

  private void requireOf(Part part, PromptSpool.Reader prompts, long count) throws IOException {
    MessageDigest digest = digest();
    while (prompts.next() < Math.min(part.end(), count)) {
      prompts.read().addTo(digest);
    }
    if (part.end() > count || !sha256(digest).equals(part.sha256())) {
      throw new BadRequestException(
          "%s holds answers to other prompts, or of another request, between the %s. and the %s.: remove that folder, or name another output."
              .formatted(display(), part.first() + 1, part.end()));
    }
  }

  void write(Part part, byte[] lines) throws IOException {
    parent.write(child(part.name()), lines);
  }

  /** Where a part lies. */
  String location(Part part) {
    return parent.child(child(part.name()));
  }

  /** Where Parquet files wait for the last of them. */
  String parquet() {
    return parent.child(child(parquet));
  }

  /**
   * Gives those files the name of the output, which nothing has, in one step, if the file system
   * can do that.
   *
   * @return whether it has
   */
  boolean publishParquet() throws IOException {
    return parent.moveNewFolder(child(parquet), output.name());
  }

  /** Removes it with all that is in it. */
  void remove() throws IOException {
    parent.delete(output.workName());
  }

  private String child(String name) {
    return output.workName() + "/" + name;
  }
}
