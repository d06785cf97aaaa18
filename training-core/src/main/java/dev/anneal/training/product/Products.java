package dev.anneal.training.product;

import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.tensor.Device;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;

/**
 * Products of matrices on one device, by one thread on its current stream. The same input gives the
 * same bits.
 */
public interface Products {
  /**
   * The system property that names what GPUs multiply by, for measurements: {@code fused} (the
   * default where no kernels of collectives go on beside them) takes a kernel of ours for products
   * with adapters on GPUs of compute capability 9.0, and cuBLASLt for all others; {@code cublaslt}
   * (the default elsewhere) takes that alone, in the order {@link Order#ADAPTERS_FIRST}, and {@code
   * cublaslt-product-first} in the other one; {@code libtorch} takes libtorch's operators.
   */
  String PROPERTY = "anneal.products";

  /** The workspace that cuBLAS recommends for Hopper, which a stream of a GPU takes: 32 MiB. */
  long WORKSPACE_BYTES = 32L << 20;

  /**
   * What the ranks of adapters in bf16 are multiples of where cuBLASLt takes all their products:
   * rows of {@code B} and of low-rank activations are multiples of 16 bytes then.
   */
  int RANKS = ProductPlan.ALIGNMENT / 2;

  /** What writes a result that has adapters for all of its columns, where no kernel adds both. */
  enum Order {
    /** The adapters, which the product is added to: one pass less over the result. */
    ADAPTERS_FIRST,
    /** The product, which the adapters are added to. */
    PRODUCT_FIRST
  }

  /**
   * What an adapter adds to its columns of a product: {@code scale * low factor}.
   *
   * @param low {@code [m, r]}
   * @param factor {@code [r, n]}
   * @param column of the product, the first of {@code n}
   */
  record LowRank(Matrix low, Matrix factor, long column, double scale) {}

  /** Those for {@code device} where no other rank is, in the current tensor scope. */
  static Products on(Device device) {
    return on(device, true);
  }

  /**
   * Those for {@code device}, in the current tensor scope.
   *
   * @param undisturbed no kernels of collectives hold multiprocessors, on which {@code fused}
   *     counts
   */
  static Products on(Device device, boolean undisturbed) {
    String usual = undisturbed ? "fused" : "cublaslt";
    String by = System.getProperty(PROPERTY, usual).toLowerCase(Locale.ROOT);
    if (!device.isGpu() || by.equals("libtorch")) {
      return new PlainProducts();
    }
    return switch (by) {
      case "fused" -> FusedProducts.on(device);
      case "cublaslt" -> new CublasProducts(device, Order.ADAPTERS_FIRST);
      case "cublaslt-product-first" -> new CublasProducts(device, Order.PRODUCT_FIRST);
      default ->
          throw new IllegalArgumentException(
              "%s is %s, and should be fused, cublaslt, cublaslt-product-first or libtorch"
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
   * {@code out = left right} and what adapters add, each to its columns.
   *
   * @param left {@code [m, k]}, bf16 or fp32
   * @param right {@code [k, n]} of the same dtype
   * @param out {@code [m, n]} of the same dtype, no transpose; what is there counts for nothing
   * @param adapters in the order of their columns, which none shares with another
   */
  void multiply(Matrix left, Matrix right, Matrix out, List<LowRank> adapters);

  /**
   * {@code out = left right^T} of FP8 matrices, as in the other {@code multiplyScaled}, and what
   * adapters add.
   *
   * @param out what is there counts for nothing
   * @param adapters in the order of their columns, which none shares with another
   */
  void multiplyScaled(
      Quantized left, Matrix right, Tensor rightScale, Tensor out, List<LowRank> adapters);

  /** What follows is for the stream that is now the thread's current one. */
  default void useCurrentStream() {}
}
