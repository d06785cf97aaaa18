package dev.anneal.training.checkpoint;

import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.TensorSpec;
import java.util.List;
import java.util.Locale;

/** The file of a rank's part: what it trains and what AdamW knows of it, {@code [n]} F32 each. */
final class RankFile {
  static final String MASTER = "master";
  static final String EXP_AVG = "exp_avg";
  static final String EXP_AVG_SQ = "exp_avg_sq";

  private RankFile() {}

  static String name(int rank, int worldSize) {
    return String.format(Locale.ROOT, "rank-%05d-of-%05d.safetensors", rank, worldSize);
  }

  /** Its tensors in their order, of {@code n} elements each. */
  static List<TensorSpec> tensors(long n) {
    return List.of(
        new TensorSpec(MASTER, SafetensorsDType.F32, n),
        new TensorSpec(EXP_AVG, SafetensorsDType.F32, n),
        new TensorSpec(EXP_AVG_SQ, SafetensorsDType.F32, n));
  }
}
