package dev.anneal.training.checkpoint;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.io.ModelFolder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/** Reads the JSON files of a checkpoint: exactly what Anneal writes, and nothing more. */
final class StrictJson {
  /** The manifest of ten thousand ranks has about 2 MB. */
  static final int MAX_BYTES = 32 << 20;

  private static final int MAX_RANKS = 100_000;

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
          "%s has more than %s bytes, too many for a checkpoint's JSON."
              .formatted(where, MAX_BYTES));
    }
    try {
      return parser.apply(JsonObject.parse(ByteBuffer.wrap(json), where));
    } catch (InvalidModelException e) {
      throw new InvalidCheckpointException(e.getMessage(), e);
    } catch (IllegalArgumentException e) {
      throw new InvalidCheckpointException("%s: %s.".formatted(where, e.getMessage()), e);
    }
  }

  /**
   * The bytes of {@code file}.
   *
   * @throws InvalidCheckpointException if it is missing or absurdly large
   */
  static byte[] read(ModelFolder folder, String file) throws IOException {
    if (!folder.has(file)) {
      throw new InvalidCheckpointException(folder.location() + " has no " + file + ".");
    }
    try (SeekableByteChannel channel = folder.open(file);
        InputStream in = Channels.newInputStream(channel)) {
      return in.readNBytes(MAX_BYTES + 1);
    }
  }

  /** Refuses an object that has other keys than {@code keys}. */
  static void requireKeys(JsonObject json, String... keys) {
    Set<String> unknown = new TreeSet<>(json.keys());
    Set.of(keys).forEach(unknown::remove);
    for (String key : unknown) {
      throw json.refuse(key, "is not known to this version of Anneal.");
    }
  }

  /** Refuses another format than {@code version}. */
  static void requireVersion(JsonObject json, String key, int version) {
    int found = json.intNumber(key);
    if (found != version) {
      throw json.refuse(
          key, "is %s, but this version of Anneal reads only %s.".formatted(found, version));
    }
  }

  /** Refuses a world size that no run has. */
  static void requireRanks(int worldSize) {
    if (worldSize < 1 || worldSize > MAX_RANKS) {
      throw new IllegalArgumentException(
          "world_size must be 1 to %s, not %s".formatted(MAX_RANKS, worldSize));
    }
  }
}
