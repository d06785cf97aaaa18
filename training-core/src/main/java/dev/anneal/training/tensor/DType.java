package dev.anneal.training.tensor;

import static org.bytedeco.pytorch.global.torch.ScalarType;

/** Floating-point types that weights are stored and computed in. */
public enum DType {
  FP32(4, ScalarType.Float),
  BF16(2, ScalarType.BFloat16),
  /** e4m3fn, with one fp32 scale a row beside it; weights are stored in it, never computed */
  FP8(1, ScalarType.Float8_e4m3fn);

  private final int bytes;
  private final ScalarType scalarType;

  DType(int bytes, ScalarType scalarType) {
    this.bytes = bytes;
    this.scalarType = scalarType;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** libtorch's name for it. */
  public ScalarType scalarType() {
    return scalarType;
  }
}
