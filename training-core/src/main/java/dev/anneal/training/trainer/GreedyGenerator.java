package dev.anneal.training.trainer;

import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * Continues a prompt with the likeliest token each time, all computed again for each: on GPUs,
 * where the cache of {@link dev.anneal.training.generate.Generator} has not been tried yet.
 */
final class GreedyGenerator {
  private final Llama llama;
  private final Set<Integer> eosTokenIds;
  private final Ranks ranks;

  GreedyGenerator(Llama llama, Set<Integer> eosTokenIds, Ranks ranks) {
    this.llama = llama;
    this.eosTokenIds = eosTokenIds;
    this.ranks = ranks;
  }

  /** At most {@code maxTokens} ids after {@code prompt}, up to and without an end token. */
  int[] generate(int[] prompt, int maxTokens) {
    int[] ids = prompt;
    while (ids.length < prompt.length + maxTokens) {
      int next = next(ids);
      if (eosTokenIds.contains(next)) {
        break;
      }
      ids = Arrays.copyOf(ids, ids.length + 1);
      ids[ids.length - 1] = next;
    }
    return Arrays.copyOfRange(ids, prompt.length, ids.length);
  }

  private int next(int[] ids) {
    try (TensorScope scope = new TensorScope()) {
      TokenSequence row = new TokenSequence(ids, new int[] {ids.length}, new int[0]);
      Tensor last = Tensors.of(new long[] {ids.length - 1});
      int next = (int) llama.logits(TokenBatch.of(List.of(row)), last).argmax().item_long();
      ranks.check();
      return next;
    }
  }
}
