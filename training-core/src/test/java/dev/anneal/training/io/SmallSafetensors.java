package dev.anneal.training.io;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Writes small safetensors files for tests. */
public final class SmallSafetensors {

  private SmallSafetensors() {}

  /** A safetensors file of {@code tensors} whose byte {@code i} of each is {@code i}. */
  public static void write(Path file, List<TensorSpec> tensors) throws IOException {
    try (OutputStream out = Files.newOutputStream(file)) {
      SafetensorsWriter.write(out, tensors, (tensor, sink) -> sink.write(counting(tensor)));
    }
  }

  /** A safetensors file of weights with these shapes. */
  public static void write(Path file, SafetensorsDType dtype, Map<String, long[]> shapes)
      throws IOException {
    write(
        file,
        shapes.entrySet().stream()
            .map(shape -> new TensorSpec(shape.getKey(), dtype, shape.getValue()))
            .toList());
  }

  /** A file for each of {@code shards}, named {@code s1.safetensors} and so on, and their index. */
  public static void writeShards(Path folder, List<List<TensorSpec>> shards) throws IOException {
    ObjectNode index = JsonObject.create();
    ObjectNode weightMap = index.putObject("weight_map");
    for (int i = 0; i < shards.size(); i++) {
      String file = "s%s.safetensors".formatted(i + 1);
      write(folder.resolve(file), shards.get(i));
      shards.get(i).forEach(tensor -> weightMap.put(tensor.name(), file));
    }
    Files.writeString(folder.resolve("model.safetensors.index.json"), JsonObject.print(index));
  }

  /** A file with this text as its header. */
  static void writeRaw(Path file, String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(length(json.length));
    bytes.writeBytes(json);
    bytes.writeBytes(new byte[dataBytes]);
    Files.write(file, bytes.toByteArray());
  }

  static byte[] length(long bytes) {
    return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(bytes).array();
  }

  private static ByteBuffer counting(TensorSpec tensor) {
    ByteBuffer bytes = ByteBuffer.allocate((int) tensor.byteSize());
    while (bytes.hasRemaining()) {
      bytes.put((byte) bytes.position());
    }
    return bytes.flip();
  }
}
