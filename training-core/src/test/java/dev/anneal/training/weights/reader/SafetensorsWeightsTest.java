package dev.anneal.training.weights.reader;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.Golden;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelCheck;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The reference model, written again in other dtypes and files. */
class SafetensorsWeightsTest {
  @TempDir Path folder;

  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @ParameterizedTest
  @EnumSource(
      value = SafetensorsDType.class,
      names = {"F32", "F16", "BF16"})
  void givesWhatTheStoredDtypeRoundsTo(SafetensorsDType stored) throws IOException {
    rewrite(stored, 1);
    ModelCheck.check(new LocalModelFolder(folder));
    assertHoldsTheReferenceRoundedTo(stored);
  }

  @Test
  void readsShardsThroughTheirIndex() throws IOException {
    rewrite(SafetensorsDType.BF16, 3);
    assertThat(folder.resolve(SafetensorsIndex.MODEL_FILE)).doesNotExist();
    ModelCheck.check(new LocalModelFolder(folder));
    assertHoldsTheReferenceRoundedTo(SafetensorsDType.BF16);
  }

  @Test
  void readsPartsOfATensor() {
    try (TensorScope scope = new TensorScope();
        WeightReader weights = golden()) {
      String name = "model.layers.1.mlp.up_proj.weight";
      Tensor whole = weights.read(name, DType.FP32, 176 * 64);
      Tensor part = weights.read(name, 1001, 333, DType.FP32);
      assertThat(part.equal(whole.narrow(0, 1001, 333))).isTrue();
    }
  }

  private void assertHoldsTheReferenceRoundedTo(SafetensorsDType stored) throws IOException {
    try (WeightReader golden = golden();
        WeightReader rewritten =
            SafetensorsWeights.open(new LocalModelFolder(folder), SafetensorsIndex.MODEL_FILE)) {
      for (var tensor : shapes().entrySet()) {
        try (TensorScope scope = new TensorScope()) {
          Tensor expected =
              golden
                  .read(tensor.getKey(), DType.FP32, tensor.getValue())
                  .to(scalarType(stored))
                  .to(ScalarType.Float);
          Tensor found = rewritten.read(tensor.getKey(), DType.FP32, tensor.getValue());
          assertThat(found.equal(expected)).as(tensor.getKey()).isTrue();
        }
      }
    }
  }

  private static SafetensorsWeights golden() {
    return SafetensorsWeights.open(Golden.folder("model"), SafetensorsIndex.MODEL_FILE);
  }

  private static Map<String, long[]> shapes() throws IOException {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    try (SafetensorsIndex index =
        SafetensorsIndex.open(Golden.folder("model"), SafetensorsIndex.MODEL_FILE)) {
      for (String name : index.names()) {
        shapes.put(name, index.entry(name).shape());
      }
    }
    return shapes;
  }

  /** Deals the tensors out to {@code files} files. */
  private void rewrite(SafetensorsDType dtype, int files) throws IOException {
    Files.copy(Golden.path("model/config.json"), folder.resolve(LlamaConfig.FILE));
    List<List<TensorSpec>> shards = new ArrayList<>();
    for (int i = 0; i < files; i++) {
      shards.add(new ArrayList<>());
    }
    int next = 0;
    for (var shape : shapes().entrySet()) {
      shards.get(next++ % files).add(new TensorSpec(shape.getKey(), dtype, shape.getValue()));
    }
    if (files == 1) {
      write(SafetensorsIndex.MODEL_FILE, shards.get(0));
      return;
    }
    ObjectNode index = new ObjectMapper().createObjectNode();
    ObjectNode weightMap = index.putObject("weight_map");
    for (int i = 0; i < files; i++) {
      String file = String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, files);
      write(file, shards.get(i));
      shards.get(i).forEach(tensor -> weightMap.put(tensor.name(), file));
    }
    Files.writeString(
        folder.resolve(SafetensorsIndex.MODEL_FILE + ".index.json"), index.toString());
  }

  private void write(String file, List<TensorSpec> tensors) throws IOException {
    try (OutputStream out = Files.newOutputStream(folder.resolve(file));
        WeightReader golden = golden()) {
      SafetensorsWriter.write(
          out,
          tensors,
          (tensor, sink) -> {
            try (TensorScope scope = new TensorScope()) {
              Tensor values =
                  golden
                      .read(tensor.name(), DType.FP32, tensor.shape())
                      .to(scalarType(tensor.dtype()));
              sink.write(Tensors.bytes(values, 0).asByteBuffer());
            }
          });
    }
  }

  private static ScalarType scalarType(SafetensorsDType dtype) {
    return switch (dtype) {
      case F32 -> ScalarType.Float;
      case F16 -> ScalarType.Half;
      case BF16 -> ScalarType.BFloat16;
      default -> throw new IllegalArgumentException(dtype.name());
    };
  }
}
