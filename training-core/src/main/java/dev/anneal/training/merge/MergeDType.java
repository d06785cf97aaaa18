package dev.anneal.training.merge;

import dev.anneal.training.io.SafetensorsDType;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** What the weights of a merged model are written as. */
public enum MergeDType {
  FP32(SafetensorsDType.F32, "float32", 1e-5),
  FP16(SafetensorsDType.F16, "float16", 5e-3),
  BF16(SafetensorsDType.BF16, "bfloat16", 4e-2),
  /**
   * The linear modules of the decoder layers in e4m3 with one bf16 scale a row, the rest in bf16.
   *
   * @see CompressedTensors
   */
  FP8(SafetensorsDType.F8_E4M3, "bfloat16", 2e-1);

  private final SafetensorsDType linear;
  private final String torchName;
  private final double tolerance;

  MergeDType(SafetensorsDType linear, String torchName, double tolerance) {
    this.linear = linear;
    this.torchName = torchName;
    this.tolerance = tolerance;
  }

  /** That of the linear modules of the decoder layers. */
  SafetensorsDType linear() {
    return linear;
  }

  /** That of all other weights. */
  SafetensorsDType other() {
    return this == FP8 ? SafetensorsDType.BF16 : linear;
  }

  /** What {@code config.json} calls it. */
  String torchName() {
    return torchName;
  }

  /** How far hidden states may be from those of unmerged weights, as a share of their norm. */
  double tolerance() {
    return tolerance;
  }

  /** That of a stored weight. */
  static MergeDType of(SafetensorsDType stored) {
    return switch (stored) {
      case F32 -> FP32;
      case F16 -> FP16;
      case BF16 -> BF16;
      case F8_E4M3 -> FP8;
      default -> throw new IllegalArgumentException("no weight is " + stored);
    };
  }

  static ScalarType scalarType(SafetensorsDType stored) {
    return switch (stored) {
      case F32 -> ScalarType.Float;
      case F16 -> ScalarType.Half;
      case BF16 -> ScalarType.BFloat16;
      case F8_E4M3 -> ScalarType.Float8_e4m3fn;
      default -> throw new IllegalArgumentException("no weight is " + stored);
    };
  }
}
