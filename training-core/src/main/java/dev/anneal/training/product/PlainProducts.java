package dev.anneal.training.product;

import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.tensor.Operator;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Products by libtorch's operators, on any device. */
public final class PlainProducts extends ComposedProducts {
  private final Operator scaledMm = new Operator("aten::_scaled_mm", "out");

  /** Adapters' products add to those that they belong to. */
  public PlainProducts() {
    this(Order.PRODUCT_FIRST);
  }

  /** In the given order. */
  public PlainProducts(Order order) {
    super(order);
  }

  @Override
  public void multiply(Matrix left, Matrix right, Matrix out, double alpha, double beta) {
    try (TensorScope scope = new TensorScope()) {
      Tensor into = out.tensor();
      Tensor l = left.tensor();
      Tensor r = right.tensor();
      if (out.layout().type() == left.layout().type()) {
        torch.addmm_out(into, into, l, r, Tensors.scalar(beta), Tensors.scalar(alpha));
        return;
      }
      // libtorch's products have the dtype of their factors
      Tensor product = Tensors.emptyLike(l, out.rows(), out.columns());
      torch.addmm_out(product, product, l, r, Tensors.scalar(0), Tensors.scalar(alpha));
      if (beta == 0) {
        into.copy_(product);
      } else {
        into.mul_(Tensors.scalar(beta)).add_(product);
      }
    }
  }

  @Override
  public void multiplyScaled(
      Quantized left, Matrix right, Tensor rightScale, Tensor out, double beta) {
    try (TensorScope scope = new TensorScope()) {
      if (beta != 0) {
        Tensor product = Tensors.emptyLike(out, out.size(0), out.size(1));
        multiplyScaled(left, right, rightScale, product, 0);
        out.mul_(Tensors.scalar(beta)).add_(product);
      } else if (out.is_cuda()) {
        Tensor columns = rightScale.view(1, -1);
        long type = out.scalar_type().value;
        scaledMm.call(
            1,
            left.bytes(),
            right.t().tensor(),
            left.scale(),
            columns,
            null,
            null,
            type,
            true,
            out);
      } else {
        Tensor rows = left.bytes().to(ScalarType.Float).mul(left.scale());
        Tensor columns = right.tensor().to(ScalarType.Float).mul(rightScale.view(-1, 1));
        out.copy_(torch.mm(rows, columns.t()));
      }
    }
  }
}
