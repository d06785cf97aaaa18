package dev.anneal.training.cuda;

import org.bytedeco.pytorch.Context;
import org.bytedeco.pytorch.global.torch;

/** How libtorch computes on GPUs, in the whole process. */
public final class GpuMath {
  /** cuBLAS reads it when it is first used. */
  private static final String WORKSPACE = "CUBLAS_WORKSPACE_CONFIG";

  private GpuMath() {}

  /**
   * Makes every operator give the same bits for the same input, and fp32 products fp32.
   *
   * @throws IllegalStateException if the environment lets cuBLAS choose its workspace
   */
  public static void deterministic() {
    if (System.getenv(WORKSPACE) == null) {
      throw new IllegalStateException(
          "the environment has no %s: set it to :4096:8 for every process that computes on a GPU"
              .formatted(WORKSPACE));
    }
    Context context = torch.globalContext();
    // not to warn only: attention would then still choose the algorithm that differs between runs
    context.setDeterministicAlgorithms(true, false);
    // every byte of a new tensor would be written twice
    context.setDeterministicFillUninitializedMemory(false);
    context.setAllowTF32CuBLAS(false);
  }
}
