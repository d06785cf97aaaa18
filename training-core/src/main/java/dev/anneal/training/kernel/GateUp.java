package dev.anneal.training.kernel;

import org.bytedeco.pytorch.Tensor;

/**
 * The joined output of gate_proj and up_proj, the adapters' parts not yet added.
 *
 * @param frozen {@code [T, 2 I]} contiguous: gate, then up
 * @param gate what gate_proj's adapter adds; {@code null} if it has none
 * @param up what up_proj's adapter adds; {@code null} if it has none
 */
public record GateUp(Tensor frozen, LowRank gate, LowRank up) {
  boolean isAdapted() {
    return gate != null || up != null;
  }

  /** Adds the adapters' parts to {@code sum}, which holds {@link #frozen}'s values. */
  void addTo(Tensor sum) {
    long width = sum.size(1) / 2;
    LowRank.addTo(sum.narrow(1, 0, width), gate);
    LowRank.addTo(sum.narrow(1, width, width), up);
  }
}
