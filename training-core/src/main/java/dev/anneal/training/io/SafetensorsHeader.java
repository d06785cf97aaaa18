package dev.anneal.training.io;

import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The header of a safetensors file, checked as strictly as the reference implementation does: the
 * tensors' data follow each other without gap or overlap, each is as long as its shape says, and
 * the file ends where the last one does.
 *
 * @param entries the tensors by name, in the order of their data
 * @param metadata free text fields, {@code format} among them
 * @param dataStart where in the file the data begin, in bytes
 * @see <a href="https://github.com/huggingface/safetensors#format">The format</a>
 */
public record SafetensorsHeader(
    Map<String, TensorEntry> entries, Map<String, String> metadata, long dataStart) {

  static final String METADATA = "__metadata__";
  static final int LENGTH_BYTES = Long.BYTES;

  /** The reference implementation's limit. */
  private static final long MAX_HEADER_BYTES = 100_000_000;

  /**
   * Reads and checks the header of the file that {@code channel} is open on.
   *
   * @param where what messages call the file
   * @throws InvalidModelException if it is no safetensors file, or not a complete one
   */
  public static SafetensorsHeader read(SeekableByteChannel channel, String where)
      throws IOException {
    long fileBytes = channel.size();
    if (fileBytes < LENGTH_BYTES) {
      throw truncated(where, "its header", LENGTH_BYTES, fileBytes);
    }
    channel.position(0);
    ByteBuffer length = readFully(channel, LENGTH_BYTES, where);
    LfsPointer.refuse(length, where);
    long headerBytes = length.order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES) {
      throw new InvalidModelException(
          "%s is not a safetensors file: its first 8 bytes give a header of %s bytes."
              .formatted(where, Long.toUnsignedString(headerBytes)));
    }
    long dataStart = LENGTH_BYTES + headerBytes;
    if (fileBytes < dataStart) {
      throw truncated(where, "its header", dataStart, fileBytes);
    }
    ByteBuffer json = readFully(channel, (int) headerBytes, where);
    if (json.get(0) != '{') {
      throw new InvalidModelException(
          where + " is not a safetensors file: its header does not begin with '{'.");
    }
    JsonObject header = JsonObject.parse(json, "the header of " + where);
    List<TensorEntry> entries = entries(header);
    checkLayout(entries, dataStart, fileBytes, where);
    return new SafetensorsHeader(byName(entries), metadata(header), dataStart);
  }

  private static ByteBuffer readFully(SeekableByteChannel channel, int bytes, String where)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer) < 0) {
        throw truncated(where, "its header", bytes, buffer.position());
      }
    }
    return buffer.flip();
  }

  private static List<TensorEntry> entries(JsonObject header) {
    List<TensorEntry> entries = new ArrayList<>();
    for (String name : header.keys()) {
      if (!name.equals(METADATA)) {
        entries.add(entry(name, header.object(name)));
      }
    }
    entries.sort(Comparator.comparingLong(TensorEntry::begin).thenComparingLong(TensorEntry::end));
    return entries;
  }

  private static TensorEntry entry(String name, JsonObject json) {
    SafetensorsDType dtype = dtype(json);
    long[] shape = json.wholeNumbers("shape").stream().mapToLong(Long::longValue).toArray();
    List<Long> offsets = json.wholeNumbers("data_offsets");
    if (offsets.size() != 2 || offsets.get(0) < 0 || offsets.get(1) < offsets.get(0)) {
      throw json.refuse(
          "data_offsets", "must be [begin, end], not " + Excerpt.of(offsets.toString()) + ".");
    }
    TensorEntry entry = new TensorEntry(name, dtype, shape, offsets.get(0), offsets.get(1));
    long expected = byteSize(new TensorSpec(name, dtype, shape), json);
    if (entry.byteSize() != expected) {
      throw json.refuse(
          "data_offsets",
          "must span the %s bytes of its shape and dtype, not %s."
              .formatted(expected, entry.byteSize()));
    }
    return entry;
  }

  private static SafetensorsDType dtype(JsonObject json) {
    String dtype = json.text("dtype");
    for (SafetensorsDType known : SafetensorsDType.values()) {
      if (known.name().equals(dtype)) {
        return known;
      }
    }
    throw json.refuse("dtype", "is " + Excerpt.of(dtype) + ", which Anneal does not know.");
  }

  private static long byteSize(TensorSpec tensor, JsonObject json) {
    for (long size : tensor.shape()) {
      if (size < 0) {
        throw json.refuse("shape", "has a negative size.");
      }
    }
    try {
      return tensor.byteSize();
    } catch (ArithmeticException e) {
      throw json.refuse("shape", "has more elements than a file can hold.");
    }
  }

  private static void checkLayout(
      List<TensorEntry> entries, long dataStart, long fileBytes, String where) {
    long dataBytes = fileBytes - dataStart;
    long end = 0;
    for (TensorEntry entry : entries) {
      if (entry.begin() != end) {
        throw new InvalidModelException(
            "%s is corrupt: the data of tensor %s begin at byte %s instead of %s."
                .formatted(where, Excerpt.of(entry.name()), entry.begin(), end));
      }
      end = entry.end();
      if (end > dataBytes) {
        throw truncated(where, "tensor " + Excerpt.of(entry.name()), dataStart + end, fileBytes);
      }
    }
    if (end < dataBytes) {
      throw new InvalidModelException(
          "%s is corrupt: its tensors end at byte %s but the file has %s."
              .formatted(where, dataStart + end, fileBytes));
    }
  }

  private static Map<String, TensorEntry> byName(List<TensorEntry> entries) {
    Map<String, TensorEntry> byName = new LinkedHashMap<>();
    for (TensorEntry entry : entries) {
      byName.put(entry.name(), entry);
    }
    return Collections.unmodifiableMap(byName);
  }

  private static Map<String, String> metadata(JsonObject header) {
    if (!header.has(METADATA)) {
      return Map.of();
    }
    JsonObject json = header.object(METADATA);
    Map<String, String> metadata = new LinkedHashMap<>();
    for (String key : json.keys()) {
      metadata.put(key, json.text(key));
    }
    return Collections.unmodifiableMap(metadata);
  }

  static InvalidModelException truncated(String where, String what, long expected, long found) {
    return new InvalidModelException(
        "%s is truncated: %s needs the file to have %s bytes and it has %s; copy it again."
            .formatted(where, what, expected, found));
  }
}
