package dev.anneal.training.generate;

import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Chooses the next tokens of several sequences by their logits. Probabilities are summed as whole
 * numbers: libtorch has no sums of others on GPUs that are the same in every run.
 */
final class Sampler {
  /** Of the draws' random numbers, and of probabilities as whole numbers. */
  private static final int BITS = 52;

  private static final double ONE = Math.scalb(1.0, BITS);

  private final Sampling sampling;

  Sampler(Sampling sampling) {
    this.sampling = sampling;
  }

  /**
   * The next tokens.
   *
   * @param logits {@code [n, vocab_size]} fp32
   * @param sequences the {@code n} that they follow
   * @return {@code [2 n]} fp64 where the logits are: the ids, then the largest logit of each, which
   *     is not finite if one is not
   */
  Tensor next(Tensor logits, List<Sequence> sequences) {
    try (TensorScope scope = new TensorScope()) {
      Tensor scores = penalized(logits, sequences);
      Tensor ids =
          sampling.isGreedy() ? Tensors.argmax(scores) : draw(probabilities(scores), sequences);
      Tensor largest = Tensors.amax(logits);
      return scope.keep(Tensors.cat(ids.to(ScalarType.Double), largest.to(ScalarType.Double)));
    }
  }

  /** {@code RepetitionPenaltyLogitsProcessor}: prompts count, and a token counts once. */
  Tensor penalized(Tensor logits, List<Sequence> sequences) {
    if (sampling.repetitionPenalty() == 1) {
      return logits;
    }
    Scalar penalty = Tensors.scalar(sampling.repetitionPenalty());
    Tensor scores = logits.clone();
    for (int i = 0; i < sequences.size(); i++) {
      long[] said = Arrays.stream(sequences.get(i).ids()).distinct().asLongStream().toArray();
      Tensor ids = Tensors.like(logits, Tensors.of(said));
      Tensor row = scores.select(0, i);
      Tensor score = row.index_select(0, ids);
      row.index_copy_(
          0, ids, torch.where(score.lt(Tensors.scalar(0)), score.mul(penalty), score.div(penalty)));
    }
    return scores;
  }

  /** What is drawn from: {@code [n, vocab_size]} fp32. */
  Tensor probabilities(Tensor scores) {
    return topP(topK(scores.div(Tensors.scalar(sampling.temperature())))).softmax(-1);
  }

  /** {@code TopKLogitsWarper}: equals of the k-th stay. */
  private Tensor topK(Tensor scores) {
    if (sampling.topK() == 0) {
      return scores;
    }
    long k = Math.min(sampling.topK(), scores.size(1));
    Tensor last = Tensors.largest(scores, k).narrow(1, k - 1, 1);
    return without(scores, scores.lt(last));
  }

  /**
   * {@code TopPLogitsWarper}: the likeliest token stays whatever its probability. Equals of the
   * last that stays do so too.
   */
  private Tensor topP(Tensor scores) {
    if (sampling.topP() == 1) {
      return scores;
    }
    Tensor ascending = Tensors.sort(scores);
    long rest = (long) ((1 - sampling.topP()) * ONE);
    // how many of the least likely are out, but never all
    Tensor out =
        Tensors.sum(cumulative(ascending.softmax(-1)).le(Tensors.whole(rest)))
            .clamp_max(Tensors.whole(scores.size(1) - 1));
    return without(scores, scores.lt(ascending.gather(1, out.unsqueeze(1))));
  }

  /** The sums of the first probabilities, in units of {@code 1 / ONE}: int64. */
  private static Tensor cumulative(Tensor probabilities) {
    return probabilities
        .to(ScalarType.Double)
        .mul(Tensors.scalar(ONE))
        .to(ScalarType.Long)
        .cumsum(-1);
  }

  private static Tensor without(Tensor scores, Tensor those) {
    return scores.masked_fill(those, Tensors.scalar(Double.NEGATIVE_INFINITY));
  }

  /** The first id whose cumulative probability is above a random number of the sequence's own. */
  private Tensor draw(Tensor probabilities, List<Sequence> sequences) {
    double[] numbers = new double[sequences.size()];
    for (int i = 0; i < numbers.length; i++) {
      Sequence sequence = sequences.get(i);
      long bits = Seeds.mix(sampling.seed(), sequence.prompt().index(), sequence.generated());
      // below 1 also as a product
      numbers[i] = (bits >>> (Long.SIZE - BITS)) / ONE;
    }
    Tensor cumulative = cumulative(probabilities);
    Tensor total = cumulative.narrow(1, cumulative.size(1) - 1, 1).to(ScalarType.Double);
    Tensor drawn = total.mul(Tensors.like(probabilities, Tensors.of(numbers)).unsqueeze(1));
    return Tensors.sum(cumulative.le(drawn.to(ScalarType.Long)));
  }
}
