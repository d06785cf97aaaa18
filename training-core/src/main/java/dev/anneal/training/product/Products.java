package dev.anneal.training.product;

import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.tensor.Device;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;

/**
 * Products of matrices on one device, by one thread on its current stream. The same input gives the
 * same bits.
 */
public interface Products {
  /**
   * The system property that names what GPUs multiply by, for measurements: {@code libtorch},
   * {@code cublaslt} (the default), or {@code cublaslt-product-first}, which {@link #addsFirst} is
   * about.
   */
  String PROPERTY = "anneal.products";

  /** The workspace that cuBLAS recommends for Hopper, which a stream of a GPU takes: 32 MiB. */
  long WORKSPACE_BYTES = 32L << 20;

  /**
   * What the ranks of adapters in bf16 are multiples of where cuBLASLt takes all their products:
   * rows of {@code B} and of low-rank activations are multiples of 16 bytes then.
   */
  int RANKS = ProductPlan.ALIGNMENT / 2;

  /** Those for {@code device}, in the current tensor scope. */
  static Products on(Device device) {
    String by = System.getProperty(PROPERTY, "cublaslt").toLowerCase(Locale.ROOT);
    if (!device.isGpu() || by.equals("libtorch")) {
      return new PlainProducts();
    }
    return switch (by) {
      case "cublaslt" -> new CublasProducts(device, true);
      case "cublaslt-product-first" -> new CublasProducts(device, false);
      default ->
          throw new IllegalArgumentException(
              "%s is %s, and should be libtorch, cublaslt or cublaslt-product-first"
                  .formatted(PROPERTY, by));
    };
  }

  /**
   * {@code out = alpha * left right + beta * out}, summed in fp32 and rounded once.
   *
   * @param left {@code [m, k]}, bf16 or fp32
   * @param right {@code [k, n]} of the same dtype
   * @param out {@code [m, n]} of the same dtype or fp32, no transpose; with {@code beta} 0 what is
   *     there counts for nothing
   */
  void multiply(Matrix left, Matrix right, Matrix out, double alpha, double beta);

  /**
   * {@code out = left right^T + beta * out} of FP8 matrices, with fast accumulation on GPUs.
   *
   * @param left {@code [m, k]} with a scale a row
   * @param right {@code [n, k]} e4m3, no transpose
   * @param rightScale {@code [n]} fp32: what its rows are multiplied with
   * @param out {@code [m, n]} contiguous, bf16 on GPUs
   */
  void multiplyScaled(Quantized left, Matrix right, Tensor rightScale, Tensor out, double beta);

  /**
   * Whether a frozen product should add to what an adapter's has written (which is one pass less
   * over the result), and not the other way round.
   */
  boolean addsFirst();

  /** What follows is for the stream that is now the thread's current one. */
  default void useCurrentStream() {}
}
