package dev.anneal.training.generate;

import dev.anneal.training.TinyModels;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import dev.anneal.training.weights.reader.WeightReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * How long a model folder's model takes on the host, in fp32, for greedy continuations: with a
 * cache, one prompt and several side by side, and by computing everything again for every token.
 */
public final class GenerationTimings {
  private static final int RUNS = 3;
  private static final int PROMPTS = 8;

  private GenerationTimings() {}

  /**
   * Prints the best of some runs each.
   *
   * @param args a model folder, tokens of a prompt, new tokens
   */
  public static void main(String[] args) throws IOException {
    NativeLibraries.load();
    LocalModelFolder folder = new LocalModelFolder(Path.of(args[0]));
    LlamaConfig config = LlamaConfig.read(folder);
    int length = Integer.parseInt(args[1]);
    int newTokens = Integer.parseInt(args[2]);
    List<Prompt> prompts = new ArrayList<>();
    for (int i = 0; i < PROMPTS; i++) {
      int[] ids = new int[length];
      int seed = i;
      Arrays.setAll(ids, at -> (31 * at * at + 17 * seed + 5) % config.vocabSize());
      prompts.add(new Prompt(i, ids));
    }
    try (TensorScope scope = new TensorScope();
        WeightReader weights = SafetensorsWeights.open(folder, SafetensorsIndex.MODEL_FILE)) {
      Llama llama =
          Llama.reference(
              TinyModels.full(config, weights), Device.CPU, DType.FP32, KeptActivations.INPUTS);
      Generator generator = new Generator(llama, new SingleRank(), () -> {});
      GenerationSpec spec = Models.greedy(newTokens);
      time("again for every token", newTokens, () -> again(llama, prompts.get(0), newTokens));
      time("with a cache", newTokens, () -> generate(generator, prompts.subList(0, 1), spec));
      time(
          "with a cache, %s prompts".formatted(PROMPTS),
          PROMPTS * newTokens,
          () -> generate(generator, prompts, spec));
    }
  }

  private static void generate(Generator generator, List<Prompt> prompts, GenerationSpec spec) {
    generator.generate(prompts, spec, StopStrings.NONE, GenerationListener.NONE);
  }

  private static void again(Llama llama, Prompt prompt, int newTokens) {
    int[] ids = prompt.ids();
    for (int i = 0; i < newTokens; i++) {
      try (TensorScope scope = new TensorScope()) {
        TokenSequence row = new TokenSequence(ids, new int[] {ids.length}, new int[0]);
        TokenBatch batch = TokenBatch.of(List.of(row));
        long next =
            Tensors.argmax(llama.logits(batch, Tensors.of(new long[] {ids.length - 1})))
                .item_long();
        ids = Arrays.copyOf(ids, ids.length + 1);
        ids[ids.length - 1] = (int) next;
      }
    }
  }

  private static void time(String what, int tokens, Runnable work) {
    double best = Double.POSITIVE_INFINITY;
    for (int i = 0; i < RUNS; i++) {
      long start = System.nanoTime();
      work.run();
      best = Math.min(best, (System.nanoTime() - start) / 1e9);
    }
    System.out.printf(Locale.ROOT, "%-28s %6.2f s, %7.1f tokens/s%n", what, best, tokens / best);
  }
}
