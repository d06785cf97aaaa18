package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.Deviation;
import dev.anneal.training.Golden;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.TinyModels;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.merge.MergeInputs;
import dev.anneal.training.merge.MergePiece;
import dev.anneal.training.merge.MergePlan;
import dev.anneal.training.merge.MergedTensors;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import dev.anneal.training.weights.reader.WeightReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Logits of transformers and PEFT, to the fourth digit behind the point. */
@ExtendWith(InTensorScope.class)
class LogitsTest {
  private static final double TOLERANCE = 1e-4;
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int ROWS = 2;
  private static final int WIDTH = 24;

  @Test
  void freshAdapterGivesTheBaseModel() throws IOException {
    assertEqual("base_logits", loraLogits(config(), "adapter_init"));
  }

  @Test
  void trainedAdapter() throws IOException {
    assertEqual("adapter_logits", loraLogits(config(), "adapter_final"));
  }

  @Test
  void trainedAdapterUnderTheNewerFormOfConfig() throws IOException {
    ObjectNode json =
        (ObjectNode) JSON.readTree(Files.readString(Golden.path("model/config.json")));
    ObjectNode parameters = (ObjectNode) json.remove("rope_scaling");
    parameters.set("rope_theta", json.remove("rope_theta"));
    json.set("rope_parameters", parameters);
    LlamaConfig config = LlamaConfig.parse(json.toString(), "config.json");
    assertEqual("adapter_logits", loraLogits(config, "adapter_final"));
  }

  @Test
  void mergedWeights(@TempDir Path folder) throws IOException {
    MergeInputs inputs = MergeInputs.check(Golden.folder("model"), Golden.folder("adapter_final"));
    MergePiece piece = MergePlan.of(inputs, null, Long.MAX_VALUE).pieces().get(0);
    try (MergedTensors merged = MergedTensors.open(inputs);
        OutputStream out = Files.newOutputStream(folder.resolve(piece.file()))) {
      merged.write(piece, out);
    }
    try (WeightReader weights =
        SafetensorsWeights.open(new LocalModelFolder(folder), SafetensorsIndex.MODEL_FILE)) {
      assertEqual("merged_logits", logits(TinyModels.full(config(), weights)));
    }
  }

  private static LlamaConfig config() throws IOException {
    return LlamaConfig.read(Golden.folder("model"));
  }

  private static Tensor loraLogits(LlamaConfig config, String adapterFolder) throws IOException {
    LoraSpec spec = PeftConfig.read(Golden.folder(adapterFolder)).lora();
    try (WeightReader base = open("model", SafetensorsIndex.MODEL_FILE);
        WeightReader adapter = open(adapterFolder, SafetensorsIndex.ADAPTER_FILE)) {
      return logits(TinyModels.lora(config, base, spec, adapter));
    }
  }

  private static SafetensorsWeights open(String folder, String file) {
    return SafetensorsWeights.open(Golden.folder(folder), file);
  }

  /** Of all positions of both rows, end to end. */
  private static Tensor logits(TrainableModel model) throws IOException {
    TokenBatch batch = TokenBatch.of(rows());
    Tensor positions = Tensors.of(LongStream.range(0, batch.tokens()).toArray());
    return Llama.reference(model, Device.CPU, DType.FP32, KeptActivations.INPUTS)
        .logits(batch, positions);
  }

  private static void assertEqual(String name, Tensor logits) throws IOException {
    Path file = Golden.path("logits.safetensors");
    try (WeightReader golden =
        SafetensorsWeights.open(
            new LocalModelFolder(file.getParent()), file.getFileName().toString())) {
      Tensor padded = golden.read(name, DType.FP32, ROWS, WIDTH, logits.size(1));
      List<Tensor> rows = new ArrayList<>();
      for (TokenSequence row : rows()) {
        rows.add(padded.select(0, rows.size()).narrow(0, 0, row.inputIds().length));
      }
      double deviation = Deviation.absolute(logits, Tensors.cat(rows.toArray(Tensor[]::new)));
      System.out.printf("%s: %.2e absolute%n", name, deviation);
      assertThat(deviation).isLessThan(TOLERANCE);
    }
  }

  private static List<TokenSequence> rows() throws IOException {
    Path file = Golden.path("logits.safetensors");
    try (SafetensorsIndex index =
        SafetensorsIndex.open(
            new LocalModelFolder(file.getParent()), file.getFileName().toString())) {
      int[] ids = ints(index, "input_ids");
      int[] mask = ints(index, "attention_mask");
      List<TokenSequence> rows = new ArrayList<>();
      for (int row = 0; row < ROWS; row++) {
        int length = 0;
        while (length < WIDTH && mask[row * WIDTH + length] == 1) {
          length++;
        }
        int[] rowIds = Arrays.copyOfRange(ids, row * WIDTH, row * WIDTH + length);
        rows.add(new TokenSequence(rowIds, new int[] {length}, new int[0]));
      }
      return rows;
    }
  }

  private static int[] ints(SafetensorsIndex index, String name) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(ROWS * WIDTH * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    index.read(name, 0, bytes);
    int[] values = new int[ROWS * WIDTH];
    bytes.flip().asIntBuffer().get(values);
    return values;
  }
}
