package dev.anneal.training.model;

import dev.anneal.training.tensor.Tensors;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The adapters of one decoder layer in the compute dtype.
 *
 * @param layer index of the layer
 * @param pairs {@code A [r, in]} and {@code B [out, r]} of the adapted modules
 */
public record LayerAdapters(int layer, Map<LinearModule, Pair> pairs, Dropout dropout) {

  /**
   * The two factors of one module.
   *
   * @param magnitude {@code [out]} in fp32: the lengths of {@link Dora}'s rows; {@code null} where
   *     these have none
   * @param scale the factor of their output
   */
  public record Pair(Tensor a, Tensor b, Tensor magnitude, double scale) {}

  /** No module is adapted. */
  public static LayerAdapters none(int layer) {
    return new LayerAdapters(layer, Map.of(), Dropout.NONE);
  }

  /**
   * {@code x W^T + scale * dropout(x) A^T B^T}, or what {@link Dora} makes of it.
   *
   * @param x {@code [T, in]}
   * @param weight {@code W [out, in]}
   * @return {@code [T, out]}
   */
  @SuppressWarnings("ReferenceEquality")
  public Tensor linear(LinearModule module, Tensor x, Tensor weight) {
    Tensor y = torch.linear(x, weight);
    Pair pair = pairs.get(module);
    if (pair == null) {
      return y;
    }
    Tensor dropped = dropout.apply(x, layer, module);
    if (pair.magnitude() != null) {
      // nothing is dropped where it is the same tensor
      Tensor base = dropped == x ? y : torch.linear(dropped, weight);
      return Dora.linear(dropped, y, base, weight, pair);
    }
    Tensor low = torch.linear(dropped, pair.a());
    return y.add(torch.linear(low, pair.b()), Tensors.scalar(pair.scale()));
  }
}
