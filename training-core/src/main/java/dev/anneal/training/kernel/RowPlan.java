package dev.anneal.training.kernel;

/**
 * How a block shares a row out.
 *
 * @param vector elements of an access
 * @param width elements of a row
 * @param threads of a block, a multiple of 32
 * @param blocks that a multiprocessor should have registers for
 */
record RowPlan(int vector, int width, int threads, int blocks) {
  private static final int WARP = 32;
  private static final int MOST_THREADS = 1024;

  /** Chooses for a kernel and the vectors of a row that its threads share. */
  interface Rule {
    /** Vectors that a thread should keep of each operand. */
    int steps(String kernel);
  }

  /** Few registers a thread where a kernel has many operands, so that enough threads fit. */
  static final Rule STANDARD =
      kernel ->
          switch (kernel) {
            case "rms_norm", "quantize", "swiglu" -> 4;
            default -> 2;
          };

  /**
   * @param vectors to share, of {@code vector} elements
   * @param steps vectors that a thread should keep; more where there are not enough threads
   */
  static RowPlan of(int vector, int width, int vectors, int steps) {
    int wanted = (vectors + steps - 1) / steps;
    int threads = Math.min(MOST_THREADS, (wanted + WARP - 1) / WARP * WARP);
    return new RowPlan(vector, width, threads, Math.max(1, MOST_THREADS / threads));
  }

  /** Vectors of each operand that a thread has in the end, if there are {@code vectors}. */
  int stepsOf(int vectors) {
    return (vectors + threads - 1) / threads;
  }
}
