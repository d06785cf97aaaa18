package dev.anneal.training.product;

import dev.anneal.training.kernel.Quantized;
import java.util.List;
import java.util.function.DoubleConsumer;
import org.bytedeco.pytorch.Tensor;

/** Products with adapters out of products that write a result and such that add to it. */
abstract class ComposedProducts implements Products {
  private final Order order;

  ComposedProducts(Order order) {
    this.order = order;
  }

  @Override
  public final void multiply(Matrix left, Matrix right, Matrix out, List<LowRank> adapters) {
    compose(out, adapters, beta -> multiply(left, right, out, 1, beta));
  }

  @Override
  public final void multiplyScaled(
      Quantized left, Matrix right, Tensor rightScale, Tensor out, List<LowRank> adapters) {
    compose(Matrix.of(out), adapters, beta -> multiplyScaled(left, right, rightScale, out, beta));
  }

  /**
   * Both.
   *
   * @param product the one without adapters, by what it multiplies {@code out} with before
   */
  private void compose(Matrix out, List<LowRank> adapters, DoubleConsumer product) {
    if (order == Order.ADAPTERS_FIRST && cover(adapters, out)) {
      add(adapters, out, 0);
      product.accept(1);
    } else {
      product.accept(0);
      add(adapters, out, 1);
    }
  }

  /** Whether every column of {@code out} is one of an adapter. */
  private static boolean cover(List<LowRank> adapters, Matrix out) {
    long columns = 0;
    for (LowRank each : adapters) {
      columns += each.factor().columns();
    }
    return !adapters.isEmpty() && columns == out.columns();
  }

  private void add(List<LowRank> adapters, Matrix out, double beta) {
    for (LowRank each : adapters) {
      Matrix columns = out.columns(each.column(), each.factor().columns());
      multiply(each.low(), each.factor(), columns, each.scale(), beta);
    }
  }
}
