package dev.anneal.training.product;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.product.Products.LowRank;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ExtendWith(InTensorScope.class)
class PlainProductsTest {
  private final Products products = new PlainProducts();

  /**
   * Columns of wider factors into columns of a wider result, as adapters beside each other have.
   */
  @Test
  void partsOfMatricesAreMultipliedIntoAPartOfAnother() {
    Tensor left = normal(1, 7, 9);
    Tensor right = normal(2, 11, 5);
    Tensor out = normal(3, 7, 20);
    Tensor before = out.clone();

    products.multiply(
        Matrix.of(left).columns(2, 5), Matrix.of(right).t(), Matrix.of(out).columns(4, 11), 0.5, 2);

    Tensor product = torch.mm(left.narrow(1, 2, 5), right.t()).mul(Tensors.scalar(0.5));
    Tensor part = before.narrow(1, 4, 11).mul(Tensors.scalar(2)).add(product);
    assertThat(Deviation.relative(out.narrow(1, 4, 11), part)).isLessThan(1e-6);
    assertThat(out.narrow(1, 0, 4).equal(before.narrow(1, 0, 4))).isTrue();
    assertThat(out.narrow(1, 15, 5).equal(before.narrow(1, 15, 5))).isTrue();
  }

  /** What a note before a run says of ranks, by what cuBLASLt is asked for. */
  @Test
  void rowsOfSomeRanksAreAligned() {
    for (int r = 1; r <= 64; r++) {
      Matrix b = Matrix.of(Tensors.zeros(ScalarType.BFloat16, 32, r));
      assertThat(b.isAligned(ProductPlan.ALIGNMENT)).isEqualTo(r % Products.RANKS == 0);
    }
  }

  @Test
  void gradientsOfBf16FactorsAreAddedUpInFp32() {
    Tensor left = normal(1, 7, 3).to(ScalarType.BFloat16);
    Tensor right = normal(2, 7, 4).to(ScalarType.BFloat16);
    Tensor flat = normal(3, 5 + 12);
    Tensor before = flat.clone();

    products.multiply(Matrix.of(left).t(), Matrix.of(right), Matrix.at(flat, 5, 3, 4), 1, 1);

    Tensor product = torch.mm(left.to(ScalarType.Float).t(), right.to(ScalarType.Float));
    Tensor expected = before.narrow(0, 5, 12).view(3, 4).add(product);
    assertThat(Deviation.relative(flat.narrow(0, 5, 12).view(3, 4), expected)).isLessThan(0.01);
    assertThat(flat.narrow(0, 0, 5).equal(before.narrow(0, 0, 5))).isTrue();
  }

  @Test
  void scaledProductsAddToWhatIsThere() {
    PlainKernels kernels = new PlainKernels();
    Tensor left = normal(1, 3, 16);
    Tensor right = normal(2, 5, 16);
    Quantized rows = kernels.quantize(left, null);
    Quantized columns = kernels.quantize(right, null);
    Tensor fresh = Tensors.emptyLike(left, 3, 5).fill_(Tensors.scalar(Double.NaN));
    Tensor more = normal(3, 3, 5);
    Tensor before = more.clone();

    products.multiplyScaled(rows, Matrix.of(columns.bytes()), columns.scale().view(-1), fresh, 0);
    products.multiplyScaled(rows, Matrix.of(columns.bytes()), columns.scale().view(-1), more, 1);

    assertThat(Deviation.relative(fresh, torch.mm(left, right.t()))).isLessThan(0.1);
    assertThat(Deviation.relative(more, before.add(fresh))).isLessThan(1e-6);
  }

  /** Step by step, in either order, with and without a module that has no adapter. */
  @ParameterizedTest
  @EnumSource(Products.Order.class)
  void adaptersAreMultipliedIntoTheirColumns(Products.Order order) {
    Products ordered = new PlainProducts(order);
    PlainKernels kernels = new PlainKernels();
    Tensor x = normal(1, 7, 16);
    Tensor w = normal(2, 11, 16);
    Quantized rows = kernels.quantize(x, null);
    Quantized weight = kernels.quantize(w, null);
    Matrix low = Matrix.of(normal(3, 7, 5));
    LowRank first = new LowRank(low.columns(0, 2), Matrix.of(normal(4, 6, 2)).t(), 0, 0.5);
    LowRank last = new LowRank(low.columns(2, 3), Matrix.of(normal(5, 5, 3)).t(), 6, 2);
    for (List<LowRank> adapters :
        List.of(List.of(first, last), List.of(last), List.<LowRank>of())) {
      boolean before = order == Products.Order.ADAPTERS_FIRST && adapters.size() == 2;
      Tensor expected = poisoned();
      Tensor expectedScaled = poisoned();
      if (before) {
        add(adapters, expected, 0);
        add(adapters, expectedScaled, 0);
      }
      double beta = before ? 1 : 0;
      products.multiply(Matrix.of(x), Matrix.of(w).t(), Matrix.of(expected), 1, beta);
      Matrix bytes = Matrix.of(weight.bytes());
      Tensor scale = weight.scale().view(-1);
      products.multiplyScaled(rows, bytes, scale, expectedScaled, beta);
      if (!before) {
        add(adapters, expected, 1);
        add(adapters, expectedScaled, 1);
      }

      Tensor found = poisoned();
      Tensor foundScaled = poisoned();
      ordered.multiply(Matrix.of(x), Matrix.of(w).t(), Matrix.of(found), adapters);
      ordered.multiplyScaled(rows, bytes, scale, foundScaled, adapters);
      assertThat(found.equal(expected)).isTrue();
      assertThat(foundScaled.equal(expectedScaled)).isTrue();
    }
  }

  private void add(List<LowRank> adapters, Tensor out, double beta) {
    for (LowRank each : adapters) {
      Matrix columns = Matrix.of(out).columns(each.column(), each.factor().columns());
      products.multiply(each.low(), each.factor(), columns, each.scale(), beta);
    }
  }

  private static Tensor poisoned() {
    return normal(6, 7, 11).fill_(Tensors.scalar(Double.NaN));
  }

  private static Tensor normal(long seed, long... shape) {
    return Tensors.normal(Tensors.empty(ScalarType.Float, shape), 1, seed);
  }
}
