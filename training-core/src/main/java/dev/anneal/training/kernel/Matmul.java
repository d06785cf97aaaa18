package dev.anneal.training.kernel;

/** What the products with frozen weights are computed in. */
public enum Matmul {
  /** the compute dtype */
  COMPUTE,
  /** FP8 (e4m3) on the tensor cores, with one scale a row of either operand */
  FP8
}
