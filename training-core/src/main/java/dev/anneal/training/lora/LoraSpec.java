package dev.anneal.training.lora;

import java.io.Serializable;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Low-rank adaptation of linear modules (<a href="https://arxiv.org/abs/2106.09685">Hu et al.
 * 2021</a>): {@code y = x W^T + scale * dropout(x) A^T B^T}. What it comes to in a model is a
 * {@link LoraLayout}.
 *
 * @param r rank of {@code A [r, in]} and {@code B [out, r]}
 * @param alpha {@code scale = alpha / r}, or {@code alpha / sqrt(r)} with {@code rslora} (<a
 *     href="https://arxiv.org/abs/2312.03732">Kalajdzievski 2023</a>)
 * @param dropout probability of dropping an element of {@code x} on the adapter's path
 * @param targetModules which linear modules get an adapter
 * @param rankPattern another rank for the modules whose name a regular expression ends; the first
 *     that does counts
 * @param alphaPattern another alpha in the same way
 * @param variant what else is done with a module's weight
 */
public record LoraSpec(
    int r,
    double alpha,
    double dropout,
    boolean rslora,
    TargetModules targetModules,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern,
    LoraVariant variant)
    implements Serializable {

  public LoraSpec {
    // in their order
    rankPattern = Collections.unmodifiableMap(new LinkedHashMap<>(rankPattern));
    alphaPattern = Collections.unmodifiableMap(new LinkedHashMap<>(alphaPattern));
    Objects.requireNonNull(variant);
  }

  /** Plain LoRA. */
  public LoraSpec(
      int r,
      double alpha,
      double dropout,
      boolean rslora,
      TargetModules targetModules,
      Map<String, Integer> rankPattern,
      Map<String, Double> alphaPattern) {
    this(r, alpha, dropout, rslora, targetModules, rankPattern, alphaPattern, LoraVariant.PLAIN);
  }

  /** The same rank and scale for the modules of these names in every layer. */
  public LoraSpec(int r, double alpha, double dropout, boolean rslora, List<String> targetModules) {
    this(r, alpha, dropout, rslora, TargetModules.named(targetModules), Map.of(), Map.of());
  }

  /** The same as another variant. */
  public LoraSpec as(LoraVariant other) {
    return new LoraSpec(r, alpha, dropout, rslora, targetModules, rankPattern, alphaPattern, other);
  }

  /** A text that tells specs apart; of plain LoRA as it was before there were variants. */
  public String identity() {
    String text = toString();
    return text.replace(", variant=Plain[]", "");
  }

  /** Whether the lengths of rows are trained. */
  public boolean isDora() {
    return variant instanceof LoraVariant.Dora;
  }

  /** The factor of the output of adapters that no pattern concerns. */
  public double scale() {
    return scale(r, alpha);
  }

  double scale(int r, double alpha) {
    return rslora ? alpha / Math.sqrt(r) : alpha / r;
  }
}
