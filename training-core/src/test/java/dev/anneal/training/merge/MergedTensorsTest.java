package dev.anneal.training.merge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.Golden;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.Fp8;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The reference's final adapter merged into its base model. */
@ExtendWith(InTensorScope.class)
class MergedTensorsTest {
  private static final long ONE_FILE = Long.MAX_VALUE;
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private static MergeInputs inputs() throws IOException {
    return MergeInputs.check(Golden.folder("model"), Golden.folder("adapter_final"));
  }

  private LocalModelFolder merge(MergeInputs inputs, MergeDType dtype, long maxBytes)
      throws IOException {
    MergePlan plan = MergePlan.of(inputs, dtype, maxBytes);
    try (MergedTensors tensors = MergedTensors.open(inputs)) {
      for (MergePiece piece : plan.pieces()) {
        try (OutputStream out = Files.newOutputStream(folder.resolve(piece.file()))) {
          tensors.write(piece, out);
        }
      }
    }
    if (plan.index().isPresent()) {
      Files.writeString(folder.resolve("model.safetensors.index.json"), plan.index().get());
    }
    Files.writeString(folder.resolve(LlamaConfig.FILE), MergedConfig.of(inputs.base(), dtype));
    return new LocalModelFolder(folder);
  }

  @Test
  void isWhatPeftMerges() throws IOException {
    MergeInputs inputs = inputs();
    LocalModelFolder merged = merge(inputs, null, ONE_FILE);

    MergeProof proof = MergeProof.of(inputs, merged, layer -> {});

    assertThat(proof.largest()).isLessThan(1e-6);
    assertThat(proof.holds(MergeDType.FP32)).isTrue();
    assertThat(proof.sameTokens()).isEqualTo(proof.positions());
    assertThat(merged.path().resolve("model.safetensors")).exists();
  }

  @Test
  void everyValueIsTheSumRoundedOnce() throws IOException {
    MergeInputs inputs = inputs();
    for (MergeDType dtype : List.of(MergeDType.FP32, MergeDType.BF16, MergeDType.FP16)) {
      LocalModelFolder merged = merge(inputs, dtype, ONE_FILE);
      assertSums(inputs, merged, MergeDType.scalarType(dtype.linear()));
      String written =
          JSON.readTree(folder.resolve("config.json").toFile()).path("torch_dtype").asText();
      assertThat(written).isEqualTo(dtype.torchName());
    }
  }

  private static void assertSums(MergeInputs inputs, LocalModelFolder merged, ScalarType type) {
    try (SafetensorsWeights base = weights(inputs.base());
        SafetensorsWeights found = weights(merged);
        SafetensorsWeights adapter =
            SafetensorsWeights.open(inputs.adapter(), SafetensorsIndex.ADAPTER_FILE)) {
      LlamaConfig config = inputs.config();
      for (LinearModule module : LinearModule.values()) {
        long in = module.inFeatures(config);
        long out = module.outFeatures(config);
        Tensor a = adapter.read(module.loraAName(1), DType.FP32, 8, in);
        Tensor b = adapter.read(module.loraBName(1), DType.FP32, out, 8);
        Tensor sum =
            base.read(module.weightName(1), DType.FP32, out, in)
                .add(b.matmul(a).mul_(Tensors.scalar(2)))
                .to(type)
                .to(ScalarType.Float);
        Tensor read = found.read(module.weightName(1), DType.FP32, out, in);
        assertThat(read.equal(sum)).as(module.moduleName()).isTrue();
      }
    }
  }

  private static SafetensorsWeights weights(ModelFolder model) {
    return SafetensorsWeights.open(model, SafetensorsIndex.MODEL_FILE);
  }

  @Test
  void whatNothingIsAddedToIsCopiedBitByBit() throws IOException {
    MergeInputs inputs = inputs();
    LocalModelFolder merged = merge(inputs, null, ONE_FILE);
    try (SafetensorsIndex base = SafetensorsIndex.open(inputs.base(), SafetensorsIndex.MODEL_FILE);
        SafetensorsIndex found = SafetensorsIndex.open(merged, SafetensorsIndex.MODEL_FILE)) {
      assertThat(found.names()).containsExactlyInAnyOrderElementsOf(base.names());
      String name = "model.embed_tokens.weight";
      assertThat(data(found, name)).isEqualTo(data(base, name));
    }
  }

  private static ByteBuffer data(SafetensorsIndex index, String name) throws IOException {
    ByteBuffer data = ByteBuffer.allocate((int) index.entry(name).byteSize());
    index.read(name, 0, data);
    return data.flip();
  }

  @Test
  void filesOfAtMostASizeSayTheSame() throws IOException {
    MergeInputs inputs = inputs();
    LocalModelFolder merged = merge(inputs, null, 100_000);

    MergePlan plan = MergePlan.of(inputs, null, 100_000);
    assertThat(plan.pieces()).hasSizeGreaterThan(2);
    assertThat(plan.pieces())
        .allMatch(piece -> piece.bytes() <= 100_000 || piece.tensors().size() == 1);
    JsonNode index = JSON.readTree(plan.index().orElseThrow());
    assertThat(index.path("metadata").path("total_size").asLong()).isEqualTo(plan.bytes());
    assertThat(MergeProof.of(inputs, merged, layer -> {}).largest()).isLessThan(1e-6);
    assertSums(inputs, merged, ScalarType.Float);
  }

  @Test
  void fp8IsOfTheFormThatVllmLoads() throws IOException {
    MergeInputs inputs = inputs();
    LocalModelFolder merged = merge(inputs, MergeDType.FP8, ONE_FILE);

    JsonNode config = JSON.readTree(folder.resolve("config.json").toFile());
    assertThat(config.at("/quantization_config/quant_method").asText())
        .isEqualTo("compressed-tensors");
    assertThat(config.path("torch_dtype").asText()).isEqualTo("bfloat16");
    String weight = LinearModule.Q_PROJ.weightName(0);
    try (SafetensorsIndex found = SafetensorsIndex.open(merged, SafetensorsIndex.MODEL_FILE)) {
      long out = found.entry(weight).shape()[0];
      assertThat(found.entry(weight).dtype()).isEqualTo(SafetensorsDType.F8_E4M3);
      assertThat(found.entry(weight + "_scale").shape()).containsExactly(out, 1);
      assertThat(found.entry(weight + "_scale").dtype()).isEqualTo(SafetensorsDType.BF16);
      assertThat(found.entry("lm_head.weight").dtype()).isEqualTo(SafetensorsDType.BF16);
    }
    MergeProof proof = MergeProof.of(inputs, merged, layer -> {});
    assertThat(proof.largest()).isBetween(1e-3, 0.1);
    assertThat(proof.holds(MergeDType.FP8)).isTrue();
    assertThat(proof.holds(MergeDType.FP32)).isFalse();
  }

  @Test
  void aRowOfFp8UsesItsWholeRange() {
    Tensor rows = Tensors.uniform(Tensors.empty(ScalarType.Float, 64, 96), 0.1, 3);
    rows.select(0, 5).zero_();
    CompressedTensors.Rows quantized = CompressedTensors.quantize(rows);
    Tensor back =
        Fp8.dequantize(quantized.bytes(), quantized.scale().view(64).to(ScalarType.Float));
    double error = back.sub(rows).norm().item_double() / rows.norm().item_double();
    assertThat(error).isLessThan(0.03);
    assertThat(Tensors.areFinite(back)).isTrue();
    assertThat(quantized.bytes().to(ScalarType.Float).abs().max().item_double())
        .isCloseTo(448, within(0.0));
  }

  @Test
  void anotherFileIsFound() throws IOException {
    MergeInputs inputs = inputs();
    LocalModelFolder merged = merge(inputs, null, ONE_FILE);
    Path file = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    try (SafetensorsIndex found = SafetensorsIndex.open(merged, SafetensorsIndex.MODEL_FILE)) {
      // the exponent of one value
      int at = bytes.length - (int) found.entry("model.norm.weight").byteSize() / 2 + 3;
      bytes[at] ^= 0x40;
    }
    Files.write(file, bytes);

    assertThat(MergeProof.of(inputs, merged, layer -> {}).holds(MergeDType.FP32)).isFalse();
  }

  @Test
  void anAdapterOfAnotherModelIsRefused() throws IOException {
    ObjectNode config = (ObjectNode) JSON.readTree(Golden.path("model/config.json").toFile());
    config.put("num_hidden_layers", 2);
    Files.writeString(folder.resolve("config.json"), config.toString());
    Files.copy(Golden.path("model/model.safetensors"), folder.resolve("model.safetensors"));

    assertThatThrownBy(
            () -> MergeInputs.check(new LocalModelFolder(folder), Golden.folder("adapter_final")))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("does not fit the model in " + folder);
  }

  @Test
  void aFolderWithoutAnAdapterIsRefused() {
    assertThatThrownBy(
            () -> MergeInputs.check(Golden.folder("model"), new LocalModelFolder(folder)))
        .hasMessageContaining("There is no adapter in " + folder);
  }

  @Test
  void aQuantizedBaseIsRefused() throws IOException {
    ObjectNode config = (ObjectNode) JSON.readTree(Golden.path("model/config.json").toFile());
    config.putObject("quantization_config").put("quant_method", "fbgemm_fp8");
    Files.writeString(folder.resolve("config.json"), config.toString());
    Files.copy(Golden.path("model/model.safetensors"), folder.resolve("model.safetensors"));

    assertThatThrownBy(
            () -> MergeInputs.check(new LocalModelFolder(folder), Golden.folder("adapter_final")))
        .hasMessageContaining("quantization_config");
  }

  @Test
  void sizesAreHuggingFacesToo() {
    assertThat(MergePlan.bytes("5GB")).isEqualTo(5_000_000_000L);
    assertThat(MergePlan.bytes("2 GiB")).isEqualTo(2L << 30);
    assertThat(MergePlan.bytes("300")).isEqualTo(300);
    for (String wrong : List.of("", "-1GB", "0", "five", "9999999999999GB")) {
      assertThatThrownBy(() -> MergePlan.bytes(wrong)).hasMessageContaining("'" + wrong + "'");
    }
  }
}
