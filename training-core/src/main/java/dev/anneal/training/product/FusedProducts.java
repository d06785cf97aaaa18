package dev.anneal.training.product;

import dev.anneal.training.kernel.KernelException;
import dev.anneal.training.kernel.LowRankKernel;
import dev.anneal.training.kernel.LowRankProduct;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/**
 * Products with adapters by a kernel of ours, which writes their results once, where it takes them
 * ({@link LowRankPlan}); all others by cuBLASLt.
 */
final class FusedProducts implements Products {
  private final CublasProducts others;
  private final LowRankKernel kernel;

  private FusedProducts(CublasProducts others, LowRankKernel kernel) {
    this.others = others;
    this.kernel = kernel;
  }

  /** Those for {@code device}, by cuBLASLt alone where the kernel is for other chips. */
  static Products on(Device device) {
    CublasProducts others = new CublasProducts(device, Order.ADAPTERS_FIRST);
    if (!LowRankKernel.runsOn(device)) {
      return others;
    }
    LowRankKernel kernel = new LowRankKernel(device);
    TensorScope.atClose(() -> end(kernel));
    return new FusedProducts(others, kernel);
  }

  private static void end(LowRankKernel kernel) {
    try {
      kernel.close();
    } catch (KernelException e) {
      // the GPU has failed, which is told where it was waited for; the scope has more to free
    }
  }

  @Override
  public void multiply(Matrix left, Matrix right, Matrix out, double alpha, double beta) {
    others.multiply(left, right, out, alpha, beta);
  }

  @Override
  public void multiplyScaled(
      Quantized left, Matrix right, Tensor rightScale, Tensor out, double beta) {
    others.multiplyScaled(left, right, rightScale, out, beta);
  }

  @Override
  public void multiply(Matrix left, Matrix right, Matrix out, List<LowRank> adapters) {
    Optional<LowRankProduct> product = LowRankPlan.of(left, right, out, adapters);
    if (product.isPresent()) {
      kernel.run(product.get(), others.stream());
    } else {
      others.multiply(left, right, out, adapters);
    }
  }

  @Override
  public void multiplyScaled(
      Quantized left, Matrix right, Tensor rightScale, Tensor out, List<LowRank> adapters) {
    Optional<LowRankProduct> product = LowRankPlan.of(left, right, rightScale, out, adapters);
    if (product.isPresent()) {
      kernel.run(product.get(), others.stream());
    } else {
      others.multiplyScaled(left, right, rightScale, out, adapters);
    }
  }

  @Override
  public void useCurrentStream() {
    others.useCurrentStream();
  }
}
