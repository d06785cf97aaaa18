package dev.anneal.training.lora;

import java.io.Serializable;
import java.util.List;

/**
 * Low-rank adaptation of linear modules (<a href="https://arxiv.org/abs/2106.09685">Hu et al.
 * 2021</a>): {@code y = x W^T + scale * dropout(x) A^T B^T}.
 *
 * @param r rank of {@code A [r, in]} and {@code B [out, r]}
 * @param alpha {@code scale = alpha / r}, or {@code alpha / sqrt(r)} with {@code rslora} (<a
 *     href="https://arxiv.org/abs/2312.03732">Kalajdzievski 2023</a>)
 * @param dropout probability of dropping an element of {@code x} on the adapter's path
 * @param targetModules names of the linear modules, e.g. {@code q_proj}; at least one
 */
public record LoraSpec(
    int r, double alpha, double dropout, boolean rslora, List<String> targetModules)
    implements Serializable {

  public LoraSpec {
    targetModules = List.copyOf(targetModules);
  }

  /** The factor of the adapter's output. */
  public double scale() {
    return rslora ? alpha / Math.sqrt(r) : alpha / r;
  }
}
