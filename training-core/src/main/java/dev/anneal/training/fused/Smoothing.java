package dev.anneal.training.fused;

import dev.anneal.training.model.Objective;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What smoothed labels add to the cross-entropy of a chunk of logits. With {@code eps} of every
 * target spread over the vocabulary the loss is {@code (1 - eps) nll + eps mean(-log p) = nll + eps
 * (logit of the target - mean of the logits)}, and its gradient {@code softmax - one_hot + eps
 * (one_hot - 1 / V)}.
 *
 * @param eps 0 adds nothing
 * @param targets {@code [N]} int64
 * @param added {@code [N]} fp64; {@code null}: nothing
 */
record Smoothing(double eps, Tensor targets, Tensor added) {

  /**
   * Of logits that are not yet overwritten.
   *
   * @param logits {@code [N, V]}
   */
  static Smoothing of(Objective objective, Tensor logits, Tensor targets) {
    double eps = objective.labelSmoothing();
    if (eps == 0) {
      return new Smoothing(0, targets, null);
    }
    Tensor mean = logits.mean(new long[] {1}, false, new ScalarTypeOptional(ScalarType.Float));
    Tensor ofTargets = logits.gather(1, targets.unsqueeze(1)).squeeze(1).to(ScalarType.Double);
    return new Smoothing(eps, targets, ofTargets.sub_(mean).mul_(Tensors.scalar(eps)));
  }

  /**
   * The smoothed loss.
   *
   * @param crossEntropy {@code [N]}
   * @return {@code [N]} fp64
   */
  Tensor loss(Tensor crossEntropy) {
    Tensor each = crossEntropy.to(ScalarType.Double);
    return added == null ? each : each.add_(added);
  }

  /**
   * Writes the gradient of what the head is given.
   *
   * @param dNormed {@code [N, D]}, is written
   * @param dLogits {@code [N, V]}, the gradient of the cross-entropy, is overwritten
   * @param lmHead {@code [V, D]}
   */
  void gradient(Tensor dNormed, Tensor dLogits, Tensor lmHead) {
    if (eps == 0) {
      torch.mm_out(dNormed, dLogits, lmHead);
      return;
    }
    dLogits.sub_(Tensors.scalar(eps / dLogits.size(1)));
    // eps one_hot lmHead is a row of the head, which the product is added to
    torch.index_select_out(dNormed, lmHead, 0, targets);
    dNormed.addmm_(dLogits, lmHead, Tensors.scalar(eps), Tensors.scalar(1));
  }
}
