package dev.anneal.spark.output;

import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraVariant;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * What vLLM asks of an adapter. It takes the ranks of a list, and scales every module by {@code
 * lora_alpha} and {@code r} of {@code adapter_config.json}: it reads neither {@code rank_pattern}
 * nor {@code alpha_pattern}.
 *
 * @param rank the largest rank that it looks at
 * @param oneScale whether every module is scaled as it would scale it
 * @param variant of which it takes plain ones
 * @see <a href="https://github.com/vllm-project/vllm/blob/main/vllm/config/lora.py">vLLM, {@code
 *     MaxLoRARanks}</a>
 * @see <a href="https://github.com/vllm-project/vllm/blob/main/vllm/lora/peft_helper.py">vLLM,
 *     {@code PEFTHelper}</a>
 */
record Vllm(int rank, boolean oneScale, LoraVariant variant) {
  private static final int[] RANKS = {8, 16, 32, 64, 128, 256, 320, 512};
  private static final int LARGEST = RANKS[RANKS.length - 1];

  static Vllm of(LoraLayout adapters) {
    double scale = adapters.spec().scale();
    return new Vllm(
        IntStream.concat(
                IntStream.of(adapters.spec().r()),
                adapters.adapters().mapToInt(LoraLayout.Adapter::r))
            .max()
            .getAsInt(),
        adapters.adapters().allMatch(adapter -> adapter.scale() == scale),
        adapters.spec().variant());
  }

  /** What {@code --max-lora-rank} must be, where nothing speaks against vLLM. */
  int maxLoraRank() {
    return IntStream.of(RANKS).filter(allowed -> allowed >= rank).findFirst().orElse(LARGEST);
  }

  /** Why it cannot serve the adapter as one, and what to do. */
  Optional<String> reasonAgainst() {
    if (variant instanceof LoraVariant.Dora) {
      return Optional.of("vLLM takes no DoRA adapters: merge this one into the model");
    }
    if (rank > LARGEST) {
      return Optional.of(
          "vLLM serves adapters up to rank %s, and this one has %s: merge it into the model"
              .formatted(LARGEST, rank));
    }
    return oneScale
        ? Optional.empty()
        : Optional.of(
            "vLLM scales every module by lora_alpha / r, and would compute something else with these patterns: merge the adapter into the model");
  }
}
