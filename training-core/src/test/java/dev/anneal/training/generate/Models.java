package dev.anneal.training.generate;

import dev.anneal.training.LoudWeights;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.Placement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;

/** Small models and what is asked of them. */
final class Models {
  /** So small that rooms fill and prompts take several passes. */
  static final Generator.Sizes SMALL = new Generator.Sizes(4, 8);

  /** Of other lengths than one another, with one token and with more than a pass takes. */
  static final List<Prompt> PROMPTS = prompts(1, 9, 4, 21, 7);

  private Models() {}

  static LlamaConfig config() {
    return TinyModels.config(Embeddings.UNTIED);
  }

  static Placement whole(DType stored, DType compute, double offloadRatio) {
    return new Placement(Device.CPU, stored, compute, new SingleRank(), offloadRatio);
  }

  /** With adapters on all modules, in the current tensor scope. */
  static LoraModel model(Placement placement) {
    LoraSpec spec = new LoraSpec(3, 6, 0, false, List.of("all-linear"));
    return TinyModels.lora(config(), new LoudWeights(1), spec, new LoudWeights(2), placement);
  }

  static Llama reference(Placement placement) {
    return Llama.reference(
        model(placement), Device.CPU, placement.compute(), KeptActivations.INPUTS);
  }

  static Llama fused(Placement placement, Matmul matmul) {
    return FusedLlama.of(
        model(placement), Device.CPU, new PlainKernels(), matmul, KeptActivations.INPUTS);
  }

  static Llama fp32() {
    return reference(whole(DType.FP32, DType.FP32, 0));
  }

  static Generator alone(Llama llama) {
    return new Generator(llama, new SingleRank(), () -> {}, SMALL);
  }

  static List<Prompt> prompts(int... lengths) {
    List<Prompt> prompts = new ArrayList<>();
    for (int i = 0; i < lengths.length; i++) {
      int[] ids = new int[lengths[i]];
      int seed = i;
      Arrays.setAll(ids, at -> (7 * at * at + 11 * seed + 3) % config().vocabSize());
      prompts.add(new Prompt(i, ids));
    }
    return prompts;
  }

  static GenerationSpec greedy(int maxNewTokens) {
    return new GenerationSpec(maxNewTokens, Sampling.GREEDY, Set.of());
  }

  static GenerationSpec sampled(int maxNewTokens, long seed) {
    return new GenerationSpec(maxNewTokens, new Sampling(1, 0, 1, 1, seed), Set.of());
  }

  static List<Completion> generate(Llama llama, List<Prompt> prompts, GenerationSpec spec) {
    return alone(llama).generate(prompts, spec, StopStrings.NONE, GenerationListener.NONE);
  }

  static List<List<Integer>> tokens(List<Completion> completions) {
    return completions.stream().map(Models::tokens).toList();
  }

  static List<Integer> tokens(Completion completion) {
    return Arrays.stream(completion.tokens()).boxed().toList();
  }

  /** The logits that each new token was chosen by, computed without a cache: {@code [n, vocab]}. */
  static Tensor recomputed(Llama llama, Completion completion) {
    int[] prompt = completion.prompt().ids();
    int count = completion.tokens().length;
    int[] ids = Arrays.copyOf(prompt, prompt.length + count);
    System.arraycopy(completion.tokens(), 0, ids, prompt.length, count);
    TokenSequence row = new TokenSequence(ids, new int[] {ids.length}, new int[0]);
    long first = prompt.length - 1L;
    return llama.logits(
        TokenBatch.of(List.of(row)), Tensors.of(LongStream.range(first, first + count).toArray()));
  }

  /**
   * By how much the logits of the chosen tokens are below the largest, at most.
   *
   * @param logits {@code [n, vocab]}
   */
  static double shortfall(Tensor logits, int[] chosen) {
    Tensor ids = Tensors.of(Arrays.stream(chosen).asLongStream().toArray()).unsqueeze(1);
    return Tensors.amax(logits).sub(logits.gather(1, ids).squeeze(1)).max().item_double();
  }
}
