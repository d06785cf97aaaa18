package dev.anneal.training.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Golden;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.TinyModels;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import dev.anneal.training.weights.reader.WeightReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The likeliest next tokens by the logits of transformers and PEFT. */
@ExtendWith(InTensorScope.class)
class ReferenceGenerationTest {
  private static final int ROWS = 2;
  private static final int WIDTH = 24;

  /** Every beginning of both rows is a prompt. */
  @Test
  void takesTheTokensThatTransformersWouldTake() throws IOException {
    Path file = Golden.path("logits.safetensors");
    LocalModelFolder folder = new LocalModelFolder(file.getParent());
    List<Prompt> prompts = new ArrayList<>();
    List<List<Integer>> expected = new ArrayList<>();
    try (SafetensorsIndex index = SafetensorsIndex.open(folder, file.getFileName().toString());
        WeightReader golden = SafetensorsWeights.open(folder, file.getFileName().toString())) {
      int[] ids = ints(index, "input_ids");
      int[] mask = ints(index, "attention_mask");
      Tensor best =
          Tensors.argmax(
              golden.read("adapter_logits", DType.FP32, ROWS * WIDTH, config().vocabSize()));
      long[] likeliest = Tensors.longs(best);
      for (int at = 0; at < ROWS * WIDTH; at++) {
        if (mask[at] == 1) {
          int first = at / WIDTH * WIDTH;
          prompts.add(new Prompt(at, Arrays.copyOfRange(ids, first, at + 1)));
          expected.add(List.of((int) likeliest[at]));
        }
      }
    }
    List<Completion> completions = Models.generate(llama(), prompts, Models.greedy(1));
    assertThat(Models.tokens(completions)).isEqualTo(expected);
  }

  private static LlamaConfig config() throws IOException {
    return LlamaConfig.read(Golden.folder("model"));
  }

  /** With the adapter that the reference has trained. */
  private static Llama llama() throws IOException {
    LocalModelFolder adapter = Golden.folder("adapter_final");
    try (WeightReader base =
            SafetensorsWeights.open(Golden.folder("model"), SafetensorsIndex.MODEL_FILE);
        WeightReader adapters = SafetensorsWeights.open(adapter, SafetensorsIndex.ADAPTER_FILE)) {
      return Llama.reference(
          TinyModels.lora(config(), base, PeftConfig.read(adapter).lora(), adapters),
          Device.CPU,
          DType.FP32,
          KeptActivations.INPUTS);
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
