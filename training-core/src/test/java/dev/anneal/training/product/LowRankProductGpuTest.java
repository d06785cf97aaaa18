package dev.anneal.training.product;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.kernel.CudaKernels;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.LowRankKernel;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.product.Products.LowRank;
import dev.anneal.training.product.Products.Order;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Products with adapters by the kernel of ours, beside those in fp64 and composed by cuBLASLt. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class LowRankProductGpuTest {
  private static final Device GPU = Device.gpu(0);

  /** Rounding to bf16 alone is 0.0017; FP8 sums with fast accumulation add to it. */
  private static final double ROUNDED_ONCE = 2.5e-3;

  /** Two results apart, of which one has been rounded twice. */
  private static final double COMPOSED = 5e-3;

  /**
   * A product {@code [m, k] [n, k]^T}.
   *
   * @param columns of the modules
   * @param ranks of their adapters; 0: none
   * @param scales of their adapters
   */
  private record Forward(
      long m, long k, List<Long> columns, List<Integer> ranks, List<Double> scales) {
    long n() {
      return columns.stream().mapToLong(Long::longValue).sum();
    }

    @Override
    public String toString() {
      return "m=%s k=%s columns=%s ranks=%s".formatted(m, k, columns, ranks);
    }
  }

  static Stream<Forward> forwards() {
    return Stream.of(
        new Forward(4096, 4096, List.of(4096L), List.of(64), List.of(2.0)),
        new Forward(256, 4096, List.of(4096L, 4096L), List.of(16, 64), List.of(0.5, 2.0)),
        new Forward(
            1000, 1040, List.of(1024L, 256L, 256L), List.of(64, 64, 64), List.of(0.5, 2.0, 1.0)),
        new Forward(
            1000, 4096, List.of(4096L, 1024L, 1024L), List.of(8, 0, 16), List.of(0.5, 1.0, 2.0)),
        new Forward(
            300, 2048, List.of(512L, 256L, 256L), List.of(0, 0, 24), List.of(1.0, 1.0, -0.5)),
        new Forward(1003, 1040, List.of(512L, 528L), List.of(72, 8), List.of(0.5, 2.0)),
        new Forward(2000, 128, List.of(1040L), List.of(192), List.of(1.0)),
        new Forward(257, 16, List.of(16L), List.of(8), List.of(0.5)));
  }

  /** {@code m}, {@code k}, {@code n} and the adapters' ranks together. */
  private record Backward(long m, long k, long n, long r) {}

  static Stream<Backward> backwards() {
    return Stream.of(
        new Backward(4096, 4096, 4096, 64),
        new Backward(1000, 4096, 4096, 192),
        new Backward(1003, 1040, 1040, 24),
        new Backward(300, 2048, 1040, 8),
        new Backward(256, 128, 272, 128));
  }

  private Products fused;
  private CublasProducts composed;

  @BeforeEach
  void take() {
    GpuMath.deterministic();
    assumeTrue(LowRankKernel.runsOn(GPU), "the kernel is for compute capability 9.0");
    fused = FusedProducts.on(GPU);
    composed = new CublasProducts(GPU, Order.ADAPTERS_FIRST);
  }

  /** A product in either way. */
  private interface Product {
    void into(Products products, Tensor out);
  }

  @ParameterizedTest
  @MethodSource("forwards")
  void forwardsInBf16(Forward shape) {
    Tensor x = normal(1, 1, shape.m(), shape.k());
    Tensor w = normal(2, 0.02, shape.n(), shape.k());
    Tensor low = normal(3, 1, shape.m(), rank(shape));
    List<LowRank> adapters = adapters(shape, low);
    Matrix left = Matrix.of(x);
    Matrix right = Matrix.of(w).t();
    Tensor out = poisoned(shape.m(), shape.n());
    assertThat(LowRankPlan.of(left, right, Matrix.of(out), adapters)).isPresent();
    Tensor exact = exact(torch.mm(fp64(x), fp64(w).t()), adapters);
    assertClose(exact, (by, into) -> by.multiply(left, right, Matrix.of(into), adapters));
  }

  @ParameterizedTest
  @MethodSource("forwards")
  void forwardsInFp8(Forward shape) {
    try (Kernels kernels = new CudaKernels(GPU)) {
      Quantized x = kernels.quantize(normal(1, 1, shape.m(), shape.k()), null);
      Quantized w = kernels.quantize(normal(2, 0.02, shape.n(), shape.k()), null);
      Tensor low = normal(3, 1, shape.m(), rank(shape));
      List<LowRank> adapters = adapters(shape, low);
      Matrix right = Matrix.of(w.bytes());
      Tensor scale = w.scale().view(-1);
      Tensor out = poisoned(shape.m(), shape.n());
      assertThat(LowRankPlan.of(x, right, scale, out, adapters)).isPresent();
      Tensor exact = exact(torch.mm(fp64(x), fp64(w).t()), adapters);
      assertClose(exact, (by, into) -> by.multiplyScaled(x, right, scale, into, adapters));
    }
  }

  @ParameterizedTest
  @MethodSource("backwards")
  void backwardsInBf16(Backward shape) {
    Tensor dY = normal(1, 1, shape.m(), shape.k());
    Tensor w = normal(2, 0.02, shape.k(), shape.n());
    List<LowRank> adapters = adapter(shape, 0.1);
    Matrix left = Matrix.of(dY);
    Matrix right = Matrix.of(w);
    Tensor out = poisoned(shape.m(), shape.n());
    assertThat(LowRankPlan.of(left, right, Matrix.of(out), adapters)).isPresent();
    Tensor exact = exact(torch.mm(fp64(dY), fp64(w)), adapters);
    assertClose(exact, (by, into) -> by.multiply(left, right, Matrix.of(into), adapters));
  }

  @ParameterizedTest
  @MethodSource("backwards")
  void backwardsInFp8(Backward shape) {
    try (Kernels kernels = new CudaKernels(GPU)) {
      Quantized dY = kernels.quantize(normal(1, 1, shape.m(), shape.k()), null);
      // columns of a weight, whose scales are in dY
      Tensor columns = normal(2, 0.25, shape.n(), shape.k()).to(ScalarType.Float8_e4m3fn);
      Tensor ones = Tensors.ones(GPU, ScalarType.Float, shape.n() + 64).narrow(0, 0, shape.n());
      List<LowRank> adapters = adapter(shape, 1);
      Matrix right = Matrix.of(columns);
      Tensor out = poisoned(shape.m(), shape.n());
      assertThat(LowRankPlan.of(dY, right, ones, out, adapters)).isPresent();
      Tensor exact = exact(torch.mm(fp64(dY), fp64(columns).t()), adapters);
      assertClose(exact, (by, into) -> by.multiplyScaled(dY, right, ones, into, adapters));
    }
  }

  /** Also rows that other blocks compute then, and in other places of a tile. */
  @Test
  void theBitsOfARowDoNotDependOnTheOthers() {
    try (Kernels kernels = new CudaKernels(GPU)) {
      Forward shape =
          new Forward(1003, 1040, List.of(512L, 528L), List.of(64, 8), List.of(0.5, 2.0));
      Quantized x = kernels.quantize(normal(1, 1, shape.m(), shape.k()), null);
      Quantized w = kernels.quantize(normal(2, 0.02, shape.n(), shape.k()), null);
      Matrix right = Matrix.of(w.bytes());
      Tensor scale = w.scale().view(-1);
      Tensor low = normal(3, 1, shape.m(), rank(shape));
      Tensor all = poisoned(shape.m(), shape.n());
      fused.multiplyScaled(x, right, scale, all, adapters(shape, low));
      for (long first : new long[] {0, 1, 130, 703}) {
        Quantized part =
            new Quantized(x.bytes().narrow(0, first, 300), x.scale().narrow(0, first, 300));
        Tensor out = poisoned(300, shape.n());
        List<LowRank> adapters = adapters(shape, low.narrow(0, first, 300));
        assertThat(LowRankPlan.of(part, right, scale, out, adapters)).isPresent();
        fused.multiplyScaled(part, right, scale, out, adapters);
        assertThat(out.equal(all.narrow(0, first, 300))).as("rows from %s", first).isTrue();
      }
    }
  }

  /** Rows beyond the result's, and columns beyond those of a narrower one. */
  @Test
  void nothingElseIsWritten() {
    Tensor room = poisoned(300 + 212, 1040);
    Forward shape = new Forward(300, 128, List.of(1040L), List.of(8), List.of(2.0));
    Tensor x = normal(1, 1, 300, 128);
    Tensor w = normal(2, 0.02, 1040, 128);
    List<LowRank> adapters = adapters(shape, normal(3, 1, 300, 8));
    Matrix out = Matrix.of(room.narrow(0, 0, 300));
    fused.multiply(Matrix.of(x), Matrix.of(w).t(), out, adapters);
    assertThat(room.narrow(0, 0, 300).isnan().any().item_bool()).isFalse();
    assertThat(room.narrow(0, 300, 212).isnan().all().item_bool()).isTrue();

    Tensor wide = poisoned(300, 2080);
    fused.multiply(Matrix.of(x), Matrix.of(w).t(), Matrix.of(wide).columns(520, 1040), adapters);
    assertThat(wide.narrow(1, 520, 1040).equal(room.narrow(0, 0, 300))).isTrue();
    assertThat(wide.narrow(1, 0, 520).isnan().all().item_bool()).isTrue();
    assertThat(wide.narrow(1, 1560, 520).isnan().all().item_bool()).isTrue();
  }

  /** Few rows, and adapters whose rows are not aligned. */
  @Test
  void whatTheKernelDoesNotTakeIsComposed() {
    for (Forward shape :
        List.of(
            new Forward(17, 512, List.of(512L), List.of(8), List.of(0.5)),
            new Forward(300, 512, List.of(512L), List.of(5), List.of(0.5)))) {
      Tensor x = normal(1, 1, shape.m(), shape.k());
      Tensor w = normal(2, 0.02, shape.n(), shape.k());
      List<LowRank> adapters = adapters(shape, normal(3, 1, shape.m(), rank(shape)));
      Tensor found = poisoned(shape.m(), shape.n());
      Tensor expected = poisoned(shape.m(), shape.n());
      fused.multiply(Matrix.of(x), Matrix.of(w).t(), Matrix.of(found), adapters);
      composed.multiply(Matrix.of(x), Matrix.of(w).t(), Matrix.of(expected), adapters);
      assertThat(found.equal(expected)).as("%s", shape).isTrue();
    }
  }

  /** Beside fp64, cuBLASLt's and itself once more. */
  private void assertClose(Tensor exact, Product product) {
    Tensor out = poisoned(exact.size(0), exact.size(1));
    Tensor again = poisoned(exact.size(0), exact.size(1));
    Tensor byCublas = poisoned(exact.size(0), exact.size(1));
    product.into(fused, out);
    product.into(fused, again);
    product.into(composed, byCublas);
    assertThat(error(out, exact)).as("beside fp64").isLessThan(ROUNDED_ONCE);
    assertThat(error(out, fp64(byCublas))).as("beside cuBLASLt's").isLessThan(COMPOSED);
    assertThat(again.equal(out)).as("the same bits").isTrue();
  }

  private static long rank(Forward shape) {
    return shape.ranks().stream().mapToLong(Integer::longValue).sum();
  }

  private static List<LowRank> adapters(Forward shape, Tensor low) {
    List<LowRank> adapters = new ArrayList<>();
    long column = 0;
    long first = 0;
    for (int i = 0; i < shape.columns().size(); i++) {
      int r = shape.ranks().get(i);
      long columns = shape.columns().get(i);
      if (r > 0) {
        Matrix b = Matrix.of(normal(10 + i, 0.1, columns, r));
        Matrix lows = Matrix.of(low).columns(first, r);
        adapters.add(new LowRank(lows, b.t(), column, shape.scales().get(i)));
      }
      column += columns;
      first += r;
    }
    return adapters;
  }

  private static List<LowRank> adapter(Backward shape, double deviation) {
    Matrix dLow = Matrix.of(normal(3, 1, shape.m(), shape.r()));
    Matrix a = Matrix.of(normal(4, deviation, shape.r(), shape.n()));
    return List.of(new LowRank(dLow, a, 0, 1));
  }

  /** {@code product}, which has them added. */
  private static Tensor exact(Tensor product, List<LowRank> adapters) {
    for (LowRank each : adapters) {
      try (TensorScope scope = new TensorScope()) {
        Tensor added = torch.mm(fp64(each.low().tensor()), fp64(each.factor().tensor()));
        product
            .narrow(1, each.column(), each.factor().columns())
            .add_(added.mul_(Tensors.scalar(each.scale())));
      }
    }
    return product;
  }

  private static Tensor fp64(Tensor tensor) {
    return tensor.to(ScalarType.Float).to(ScalarType.Double);
  }

  private static Tensor fp64(Quantized quantized) {
    return fp64(quantized.bytes()).mul(fp64(quantized.scale()));
  }

  private static double error(Tensor found, Tensor expected) {
    return found.to(ScalarType.Double).sub(expected).norm().item_double()
        / expected.norm().item_double();
  }

  private static Tensor normal(long seed, double deviation, long... shape) {
    return Tensors.normal(Tensors.empty(GPU, ScalarType.BFloat16, shape), deviation, seed);
  }

  private static Tensor poisoned(long... shape) {
    return Tensors.empty(GPU, ScalarType.BFloat16, shape).fill_(Tensors.scalar(Double.NaN));
  }
}
