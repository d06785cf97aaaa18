package dev.anneal.training.product;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.kernel.CudaKernels;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The products of Llama 3.1's layers by cuBLASLt, beside those in fp32 and by libtorch. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class CublasProductsGpuTest {
  private static final Device GPU = Device.gpu(0);
  private static final long RANK = 64;

  /** Rows that are computed in fp32 beside. */
  private static final long PART = 128;

  /** Rounding to bf16 alone is 0.0017; FP8 sums with fast accumulation add to it. */
  private static final double BF16 = 4e-3;

  private static final double FP8 = 8e-3;

  /** Tensor cores cut what they add where fp32 would round it. */
  private static final double FP32 = 1e-4;

  /** A frozen matrix {@code [out, in]} and the tokens it is multiplied with. */
  private record Weight(String name, long tokens, long out, long in) {
    @Override
    public String toString() {
      return "%s [%s, %s], %s tokens".formatted(name, out, in, tokens);
    }
  }

  static List<Weight> weights() {
    List<Weight> weights = new ArrayList<>();
    for (String model : List.of("llama3.1-8b", "llama3.1-70b")) {
      LlamaConfig config = LlamaConfig.named(model);
      for (ModuleGroup group : ModuleGroup.values()) {
        // 1,003 as a packed micro-batch may have
        for (long tokens : new long[] {1003, 4096}) {
          weights.add(
              new Weight(
                  model + " " + group,
                  tokens,
                  group.outFeatures(config),
                  group.inFeatures(config)));
        }
      }
    }
    return weights;
  }

  private CublasProducts products;

  @BeforeEach
  void take() {
    GpuMath.deterministic();
    // its tensors end with the test's scope
    products = new CublasProducts(GPU, Products.Order.ADAPTERS_FIRST);
  }

  @ParameterizedTest
  @MethodSource("weights")
  void frozenProductsInBf16(Weight weight) {
    Tensor x = normal(1, 1, weight.tokens(), weight.in());
    Tensor w = normal(2, 0.02, weight.out(), weight.in());
    Tensor dY = normal(3, 1, weight.tokens(), weight.out());
    for (double beta : new double[] {0, 1}) {
      assertProduct(Matrix.of(x), Matrix.of(w).t(), start(weight.tokens(), weight.out()), 1, beta);
      assertProduct(Matrix.of(dY), Matrix.of(w), start(weight.tokens(), weight.in()), 1, beta);
    }
  }

  @ParameterizedTest
  @MethodSource("weights")
  void frozenProductsInFp8(Weight weight) {
    try (Kernels kernels = new CudaKernels(GPU)) {
      Quantized x = kernels.quantize(normal(1, 1, weight.tokens(), weight.in()), null);
      Quantized w = kernels.quantize(normal(2, 0.02, weight.out(), weight.in()), null);
      Tensor scale = w.scale().view(-1);
      Tensor fresh = start(weight.tokens(), weight.out());
      Tensor added = fresh.clone();
      Tensor before = fresh.clone();
      Tensor byLibtorch = fresh.clone();
      products.multiplyScaled(x, Matrix.of(w.bytes()), scale, fresh, 0);
      products.multiplyScaled(x, Matrix.of(w.bytes()), scale, added, 1);
      new PlainProducts().multiplyScaled(x, Matrix.of(w.bytes()), scale, byLibtorch, 0);

      Tensor rows = rows(x.bytes()).mul(rows(x.scale()));
      Tensor exact = torch.mm(rows, w.bytes().to(ScalarType.Float).mul(w.scale()).t());
      assertThat(error(rows(fresh), exact)).as("fresh").isLessThan(FP8);
      assertThat(error(rows(added), exact.add(rows(before)))).as("added").isLessThan(FP8);
      assertThat(error(fresh.to(ScalarType.Float), byLibtorch.to(ScalarType.Float)))
          .as("libtorch's")
          .isLessThan(FP8);
    }
  }

  @ParameterizedTest
  @MethodSource("weights")
  void productsOfAdapters(Weight weight) {
    long tokens = weight.tokens();
    long wide = 2 * weight.out();
    Tensor x = normal(1, 1, tokens, weight.in());
    Tensor a = normal(2, 0.02, 3 * RANK, weight.in());
    Tensor b = normal(3, 0.02, weight.out(), RANK);
    // a module's columns among those of a group
    Matrix dY = Matrix.of(normal(4, 1, tokens, wide)).columns(weight.out(), weight.out());
    Matrix low = Matrix.of(normal(5, 1, tokens, 3 * RANK)).columns(RANK, RANK);
    Matrix lows = Matrix.of(normal(6, 1, tokens, 3 * RANK));

    assertProduct(Matrix.of(x), Matrix.of(a).t(), start(tokens, 3 * RANK), 1, 0);
    assertProduct(dY, Matrix.of(b), start(tokens, RANK), 0.25, 0);
    for (double beta : new double[] {0, 1}) {
      assertProduct(low, Matrix.of(b).t(), start(tokens, weight.out()), 0.25, beta);
      assertProduct(lows, Matrix.of(a), start(tokens, weight.in()), 1, beta);
    }
    assertProduct(lows.t(), Matrix.of(x), gradient(3 * RANK, weight.in()), 1, 1);
    assertProduct(dY.t(), low, gradient(weight.out(), RANK), 0.25, 1);
  }

  @ParameterizedTest
  @ValueSource(longs = {64, 4096})
  void repeatsGiveTheSameBitsAlsoElsewhereInMemory(long tokens) {
    Tensor x = normal(1, 1, tokens, 4096);
    Tensor low = normal(2, 1, tokens, RANK);
    Tensor first = gradient(RANK, 4096);
    Tensor before = first.clone();
    products.multiply(Matrix.of(low).t(), Matrix.of(x), Matrix.of(first), 1, 1);
    for (int i = 0; i < 5; i++) {
      // 16 bytes further on
      Tensor memory = Tensors.empty(GPU, ScalarType.Float, 4 + before.numel());
      memory.narrow(0, 4, before.numel()).copy_(before.view(-1));
      Matrix again = Matrix.at(memory, 4, RANK, 4096);
      products.multiply(Matrix.of(low.clone()).t(), Matrix.of(x.clone()), again, 1, 1);
      assertThat(memory.narrow(0, 4, before.numel()).view(RANK, 4096).equal(first)).isTrue();
    }
  }

  @Test
  void aPlanThatIsKeptServesOtherAddressesAndScales() {
    try (Kernels kernels = new CudaKernels(GPU)) {
      List<Tensor> found = new ArrayList<>();
      List<Tensor> expected = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        Quantized x = kernels.quantize(normal(10 + i, 1 + i, 256, 512), null);
        Quantized w = kernels.quantize(normal(20 + i, 0.02 * (3 - i), 1024, 512), null);
        Tensor scale = w.scale().view(-1);
        Tensor out = start(256, 1024);
        Tensor byLibtorch = out.clone();
        products.multiplyScaled(x, Matrix.of(w.bytes()), scale, out, 0);
        new PlainProducts().multiplyScaled(x, Matrix.of(w.bytes()), scale, byLibtorch, 0);
        found.add(out);
        expected.add(byLibtorch);
      }
      for (int i = 0; i < 3; i++) {
        assertThat(error(found.get(i).to(ScalarType.Float), expected.get(i).to(ScalarType.Float)))
            .as("factors %s", i)
            .isLessThan(FP8);
      }
    }
  }

  @Test
  void whatIsNotAlignedGoesByLibtorch() {
    Tensor x = normal(1, 1, 33, 515);
    Tensor w = normal(2, 0.02, 77, 515);
    assertProduct(Matrix.of(x), Matrix.of(w).t(), start(33, 77), 1, 1);
    assertProduct(
        Matrix.of(x).columns(3, 64), Matrix.of(w).columns(3, 64).t(), start(33, 77), 1, 0);
    products.multiply(
        Matrix.of(start(0, 64)), Matrix.of(start(64, 64)), Matrix.of(start(0, 64)), 1, 0);
  }

  @Test
  void factorsThatDoNotFitAreRefused() {
    Matrix out = Matrix.of(start(64, 64));
    assertThatThrownBy(
            () -> products.multiply(Matrix.of(start(64, 32)), Matrix.of(start(64, 64)), out, 1, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[64, 32]");
  }

  @Test
  void theWorkspaceIsAllThatIsTaken() {
    GpuMemory memory = new GpuMemory(GPU);
    Tensor x = normal(1, 1, 512, 4096);
    Tensor a = normal(2, 1, RANK, 4096);
    Tensor low = start(512, RANK);
    memory.resetPeak();
    long before = memory.peakAllocatedBytes();
    try (TensorScope scope = new TensorScope()) {
      CublasProducts other = new CublasProducts(GPU, Products.Order.ADAPTERS_FIRST);
      other.multiply(Matrix.of(x), Matrix.of(a).t(), Matrix.of(low), 1, 0);
      assertThat(memory.peakAllocatedBytes() - before).isEqualTo(Products.WORKSPACE_BYTES);
    }
  }

  private void assertProduct(Matrix left, Matrix right, Tensor out, double alpha, double beta) {
    try (TensorScope scope = new TensorScope()) {
      Tensor before = rows(out).clone();
      products.multiply(left, right, Matrix.of(out), alpha, beta);
      long count = Math.min(PART, left.rows());
      Tensor exact =
          torch
              .mm(
                  left.tensor().narrow(0, 0, count).to(ScalarType.Float),
                  right.tensor().to(ScalarType.Float))
              .mul(Tensors.scalar(alpha))
              .add(before.mul(Tensors.scalar(beta)));
      assertThat(error(rows(out), exact))
          .as("%s times %s, beta %s", left, right, beta)
          .isLessThan(out.scalar_type().value == ScalarType.Float.value ? FP32 : BF16);
    }
  }

  /** The first rows in fp32. */
  private static Tensor rows(Tensor tensor) {
    return tensor.narrow(0, 0, Math.min(PART, tensor.size(0))).to(ScalarType.Float);
  }

  private static double error(Tensor found, Tensor expected) {
    return found.sub(expected).norm().item_double() / expected.norm().item_double();
  }

  private static Tensor normal(long seed, double deviation, long... shape) {
    return Tensors.normal(Tensors.empty(GPU, ScalarType.BFloat16, shape), deviation, seed);
  }

  private static Tensor start(long... shape) {
    return normal(8, 1, shape);
  }

  private static Tensor gradient(long... shape) {
    return Tensors.normal(Tensors.empty(GPU, ScalarType.Float, shape), 1, 9);
  }
}
