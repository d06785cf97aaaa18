package dev.anneal.spark.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.SafetensorsFile;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.TensorEntry;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("fuzz")
class ModelFilesFuzzTest {
  private static final int DATA_BYTES = 48;
  private static final String HEADER =
      """
      {"__metadata__":{"format":"pt"},\
      "a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},\
      "b":{"dtype":"BF16","shape":[12],"data_offsets":[24,48]}}""";
  private static final String INDEX =
      """
      {"metadata": {"total_size": 48},
       "weight_map": {"a": "model-00001.safetensors", "b": "model-00001.safetensors"}}""";
  private static final List<String> WORDS =
      List.of(
          "\"dtype\":",
          "\"shape\":",
          "\"data_offsets\":",
          "\"F32\"",
          "\"F8_E4M3\"",
          "\"I64\"",
          "\"__metadata__\":",
          "\"a\":",
          "\"weight_map\":",
          "[0,24]",
          "[4294967296,4294967296]",
          "\"model-00001.safetensors\"",
          "\"../model-00001.safetensors\"");

  @Test
  void safetensorsFiles() throws Exception {
    Mutator mutator = new Mutator(Fuzz.seed(), List.of(whole(HEADER.getBytes(UTF_8))), WORDS);
    Fuzz.run("safetensors files", mutator, this::readAll, InvalidModelException.class);
  }

  @Test
  void safetensorsHeaders() throws Exception {
    Mutator mutator = new Mutator(Fuzz.seed(), List.of(HEADER.getBytes(UTF_8)), WORDS);
    Fuzz.run(
        "safetensors headers",
        mutator,
        header -> readAll(whole(header)),
        InvalidModelException.class);
  }

  @Test
  void weightIndices() throws Exception {
    byte[] weights = whole(HEADER.getBytes(UTF_8));
    Mutator mutator = new Mutator(Fuzz.seed(), List.of(INDEX.getBytes(UTF_8)), WORDS);
    Fuzz.run(
        "weight indices",
        mutator,
        index -> {
          Map<String, byte[]> files =
              Map.of("model.safetensors.index.json", index, "model-00001.safetensors", weights);
          try (SafetensorsIndex open =
              SafetensorsIndex.open(new MemoryFolder(files), SafetensorsIndex.MODEL_FILE)) {
            for (String name : open.names()) {
              open.read(name, 0, ByteBuffer.allocate((int) open.entry(name).byteSize()));
            }
          }
        },
        InvalidModelException.class);
  }

  /** A file with that header, whose length is right. */
  private static byte[] whole(byte[] header) {
    return ByteBuffer.allocate(Long.BYTES + header.length + DATA_BYTES)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .array();
  }

  private void readAll(byte[] bytes) throws Exception {
    MemoryFolder folder = new MemoryFolder(Map.of("file", bytes));
    try (SafetensorsFile file = SafetensorsFile.open(folder, "file")) {
      for (TensorEntry tensor : file.header().entries().values()) {
        file.read(tensor, 0, ByteBuffer.allocate((int) tensor.byteSize()));
      }
    }
  }
}
