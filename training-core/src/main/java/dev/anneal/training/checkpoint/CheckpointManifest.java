package dev.anneal.training.checkpoint;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.io.Excerpt;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.io.WrittenFile;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * The file that makes a checkpoint complete: written last, it names every other with its size and
 * its SHA-256.
 *
 * @param step optimizer steps done when the checkpoint was taken
 * @param worldSize ranks that have written it
 * @param attempt the folder of their files
 * @param identity what the run computes: a run that goes on from it must agree in every entry
 * @param bestStep of the checkpoint with the best adapter so far, without which this one is of no
 *     use; may be this one; 0: none
 * @param files names are relative to the checkpoint's folder and begin with {@code attempt/}
 */
public record CheckpointManifest(
    long step,
    int worldSize,
    String attempt,
    SortedMap<String, String> identity,
    long bestStep,
    List<WrittenFile> files) {

  /** Its name in the checkpoint's folder. */
  public static final String FILE = "manifest.json";

  private static final String VERSION_KEY = "anneal_checkpoint";
  private static final int VERSION = 1;
  private static final String BEST_STEP = "best_step";

  private static final int MAX_NAME = 512;

  /** Plain names without a dot in front, one below the other. */
  private static final Pattern NAME =
      Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*");

  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

  /**
   * @throws IllegalArgumentException if a name could lie elsewhere or twice, or a number is absurd
   */
  public CheckpointManifest {
    identity = Collections.unmodifiableSortedMap(new TreeMap<>(identity));
    files = List.copyOf(files);
    require(step >= 0, "step must be 0 or more, not " + step);
    require(
        bestStep >= 0 && bestStep <= step,
        "best_step must be 0 to %s, not %s".formatted(step, bestStep));
    StrictJson.requireRanks(worldSize);
    require(
        isName(attempt) && attempt.indexOf('/') < 0,
        "attempt '%s' is not a plain name".formatted(Excerpt.of(attempt)));
    require(
        files.size() >= worldSize,
        "%s files cannot be of %s ranks".formatted(files.size(), worldSize));
    Set<String> names = new HashSet<>();
    for (WrittenFile file : files) {
      check(file, attempt, names);
    }
  }

  private static void check(WrittenFile file, String attempt, Set<String> names) {
    String shown = Excerpt.of(file.name());
    require(
        isName(file.name()) && file.name().startsWith(attempt + "/"),
        "the file '%s' is not one of the folder %s".formatted(shown, attempt));
    require(names.add(file.name()), "the file '%s' is named twice".formatted(shown));
    require(file.bytes() >= 0, "the file '%s' has %s bytes".formatted(shown, file.bytes()));
    require(
        SHA256.matcher(file.sha256()).matches(),
        "the sha256 of '%s' is not 64 hexadecimal digits".formatted(shown));
  }

  private static boolean isName(String name) {
    return name.length() <= MAX_NAME && NAME.matcher(name).matches();
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }

  /** The content of {@link #FILE}. */
  public byte[] toJson() {
    ObjectNode json = JsonObject.create();
    json.put(VERSION_KEY, VERSION);
    json.put("step", step);
    json.put("world_size", worldSize);
    json.put("attempt", attempt);
    ObjectNode identityJson = json.putObject("identity");
    identity.forEach(identityJson::put);
    if (bestStep > 0) {
      json.put(BEST_STEP, bestStep);
    }
    ArrayNode filesJson = json.putArray("files");
    for (WrittenFile file : files) {
      ObjectNode fileJson = filesJson.addObject();
      fileJson.put("name", file.name());
      fileJson.put("bytes", file.bytes());
      fileJson.put("sha256", file.sha256());
    }
    return JsonObject.print(json).getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Reads what {@link #toJson} has written.
   *
   * @param where what messages call the file
   * @throws InvalidCheckpointException if it is anything else
   */
  public static CheckpointManifest parse(byte[] json, String where) {
    return StrictJson.parse(json, where, CheckpointManifest::of);
  }

  private static CheckpointManifest of(JsonObject json) {
    StrictJson.requireVersion(json, VERSION_KEY, VERSION);
    StrictJson.requireKeys(
        json, VERSION_KEY, "step", "world_size", "attempt", "identity", BEST_STEP, "files");
    JsonObject identityJson = json.object("identity");
    SortedMap<String, String> identity = new TreeMap<>();
    for (String key : identityJson.keys()) {
      identity.put(key, identityJson.text(key));
    }
    return new CheckpointManifest(
        json.longNumber("step"),
        json.intNumber("world_size"),
        json.text("attempt"),
        identity,
        json.has(BEST_STEP) ? json.longNumber(BEST_STEP) : 0,
        json.objects("files").stream().map(CheckpointManifest::file).toList());
  }

  private static WrittenFile file(JsonObject json) {
    StrictJson.requireKeys(json, "name", "bytes", "sha256");
    return new WrittenFile(json.text("name"), json.longNumber("bytes"), json.text("sha256"));
  }
}
