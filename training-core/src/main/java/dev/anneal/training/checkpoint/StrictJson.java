package dev.anneal.training.checkpoint;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.JsonObject;
import java.nio.ByteBuffer;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/** Reads the JSON files of a checkpoint: exactly what Anneal writes, and nothing more. */
final class StrictJson {
  /** The manifest of ten thousand ranks has about 2 MB. */
  static final int MAX_BYTES = 32 << 20;

  private StrictJson() {}

  /**
   * What {@code parser} makes of {@code json}.
   *
   * @param where what messages call the file
   * @throws InvalidCheckpointException if it is no such JSON, or {@code parser} refuses it with an
   *     {@link InvalidModelException} or an {@link IllegalArgumentException}
   */
  static <T> T parse(byte[] json, String where, Function<JsonObject, T> parser) {
    if (json.length > MAX_BYTES) {
      throw new InvalidCheckpointException(
          "%s has %d bytes, too many for a checkpoint's JSON.".formatted(where, json.length));
    }
    try {
      return parser.apply(JsonObject.parse(ByteBuffer.wrap(json), where));
    } catch (InvalidModelException e) {
      throw new InvalidCheckpointException(e.getMessage(), e);
    } catch (IllegalArgumentException e) {
      throw new InvalidCheckpointException("%s: %s.".formatted(where, e.getMessage()), e);
    }
  }

  /** Refuses an object that has other keys than {@code keys}. */
  static void requireKeys(JsonObject json, String... keys) {
    Set<String> unknown = new TreeSet<>(json.keys());
    Set.of(keys).forEach(unknown::remove);
    for (String key : unknown) {
      throw json.refuse(shown(key), "is not known to this version of Anneal.");
    }
  }

  /** Refuses another format than {@code version}. */
  static void requireVersion(JsonObject json, String key, int version) {
    int found = json.intNumber(key);
    if (found != version) {
      throw json.refuse(
          key, "is %d, but this version of Anneal reads only %d.".formatted(found, version));
    }
  }

  /** {@code text}, of which anything may be expected, in one short line. */
  static String shown(String text) {
    String plain = text.replaceAll("\\P{Print}", "?");
    return plain.length() > 60 ? plain.substring(0, 60) + "..." : plain;
  }
}
