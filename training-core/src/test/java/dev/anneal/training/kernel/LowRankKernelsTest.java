package dev.anneal.training.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.Tensors;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** SwiGLU with adapters against the same in fp32, on the same GPU. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class LowRankKernelsTest {
  private static final Device GPU = Device.gpu(0);

  /** bf16 has 8 bits, and a sum is rounded before it is used. */
  private static final double ROUNDED_TWICE = 4e-3;

  private static CudaKernels kernels;
  private final Kernels plain = new PlainKernels();

  /** Which modules have adapters. */
  enum Adapted {
    ALL(true, true, true),
    GATE(true, false, false),
    UP(false, true, false),
    DOWN(false, false, true),
    GATE_UP(true, true, false),
    UP_DOWN(false, true, true);

    private final boolean gate;
    private final boolean up;
    private final boolean down;

    Adapted(boolean gate, boolean up, boolean down) {
      this.gate = gate;
      this.up = up;
      this.down = down;
    }
  }

  /** Tensors as a layer has them, in {@code type}. */
  private record Inputs(Tensor dOutput, LowRank down, GateUp gateUp) {
    static Inputs of(Adapted adapted, ScalarType type, long rows, long width, long rank) {
      // low-rank activations of gate and up lie side by side
      Tensor low = random(1, type, rows, 2 * rank);
      Tensor a = random(2, type, rank, width);
      LowRank gate = new LowRank(low.narrow(1, 0, rank), random(3, type, width, rank), 0.5);
      LowRank up = new LowRank(low.narrow(1, rank, rank), random(4, type, width, rank), 0.25);
      LowRank down = new LowRank(random(5, type, rows, rank), a.t(), 1);
      GateUp gateUp =
          new GateUp(
              random(6, type, rows, 2 * width), adapted.gate ? gate : null, adapted.up ? up : null);
      return new Inputs(random(7, type, rows, width), adapted.down ? down : null, gateUp);
    }
  }

  record Shape(long rows, long width, long rank) {}

  static Stream<Shape> shapes() {
    return Stream.concat(
        Stream.of(8L, 16L, 24L, 32L, 40L, 56L, 64L, 128L, 256L)
            .flatMap(rank -> Stream.of(1L, 37L, 131L).map(rows -> new Shape(rows, 160, rank))),
        Stream.of(
            new Shape(5, 32, 64),
            new Shape(300, 14336, 64),
            new Shape(257, 8192, 16),
            new Shape(33, 53248, 64),
            // those that the kernels do not take
            new Shape(37, 160, 3),
            new Shape(37, 160, 12),
            new Shape(37, 123, 16),
            new Shape(37, 40, 8)));
  }

  @BeforeAll
  static void start() {
    NativeLibraries.load();
    kernels = new CudaKernels(GPU);
  }

  @AfterAll
  static void end() {
    kernels.close();
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void everyShape(Shape shape) {
    assertRight(Adapted.ALL, shape.rows(), shape.width(), shape.rank());
  }

  @ParameterizedTest
  @EnumSource(Adapted.class)
  void everyChoiceOfModules(Adapted adapted) {
    assertRight(adapted, 131, 288, 16);
    assertRight(adapted, 131, 288, 64);
  }

  private void assertRight(Adapted adapted, long rows, long width, long rank) {
    Inputs inputs = Inputs.of(adapted, ScalarType.BFloat16, rows, width, rank);
    Inputs exact = Inputs.of(adapted, ScalarType.Float, rows, width, rank);
    Tensor frozen = inputs.gateUp().frozen();
    Tensor before = frozen.clone();
    for (Matmul matmul : Matmul.values()) {
      Rows found = kernels.swiglu(inputs.gateUp(), matmul);
      assertClose(found.values(), plain.swiglu(exact.gateUp(), Matmul.COMPUTE).values());
      assertForm(found, null, matmul == Matmul.FP8);
      assertThat(frozen.equal(before)).isTrue();
    }
    Tensor act = kernels.swiglu(inputs.gateUp(), Matmul.COMPUTE).values();
    Inputs again = Inputs.of(adapted, ScalarType.BFloat16, rows, width, rank);
    plain.swigluBackward(exact.dOutput(), exact.down(), exact.gateUp(), null);
    Tensor columns = random(8, ScalarType.Float, 2 * width).abs();
    Rows found = kernels.swigluBackward(inputs.dOutput(), inputs.down(), inputs.gateUp(), columns);
    assertThat(found.values()).isSameAs(frozen);
    assertClose(frozen, exact.gateUp().frozen());
    assertForm(found, columns, true);
    // what the recomputed forward gives, to the bit
    assertThat(inputs.dOutput().equal(act)).isTrue();
    assertForm(
        kernels.swigluBackward(again.dOutput(), again.down(), again.gateUp(), null), null, false);
    assertThat(again.gateUp().frozen().equal(frozen)).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "0, 1"})
  void addressesNeedNotBeAligned(long shiftOfFrozen, long shiftOfLow) {
    Inputs inputs = Inputs.of(Adapted.GATE, ScalarType.BFloat16, 5, 64, 16);
    LowRank gate = inputs.gateUp().gate();
    LowRank moved = new LowRank(shifted(gate.low(), shiftOfLow), gate.factor(), gate.scale());
    Tensor frozen = shifted(inputs.gateUp().frozen(), shiftOfFrozen);
    Tensor found = kernels.swiglu(new GateUp(frozen, moved, null), Matmul.COMPUTE).values();
    Inputs exact = Inputs.of(Adapted.GATE, ScalarType.Float, 5, 64, 16);
    assertClose(found, plain.swiglu(exact.gateUp(), Matmul.COMPUTE).values());
  }

  @Test
  void nothingToDo() {
    Inputs none = Inputs.of(Adapted.ALL, ScalarType.BFloat16, 0, 64, 16);
    assertThat(kernels.swiglu(none.gateUp(), Matmul.FP8).values().size(1)).isEqualTo(64);
  }

  /** The same values {@code by} elements after the beginning of their memory. */
  private static Tensor shifted(Tensor x, long by) {
    Tensor moved = Tensors.emptyLike(x, x.numel() + by).narrow(0, by, x.numel());
    return moved.view(x.size(0), x.size(1)).copy_(x);
  }

  /** The FP8 form is there if it is due, and is that of the values, to the bit. */
  private void assertForm(Rows found, Tensor columnScale, boolean due) {
    assertThat(found.quantized() != null).isEqualTo(due);
    if (due) {
      Quantized expected = plain.quantize(found.values(), columnScale);
      assertThat(found.quantized().scale().equal(expected.scale())).isTrue();
      assertThat(bytes(found.quantized()).equal(bytes(expected))).isTrue();
    }
  }

  private static Tensor bytes(Quantized quantized) {
    return quantized.bytes().view(ScalarType.Byte);
  }

  private static void assertClose(Tensor found, Tensor expected) {
    // a wrong tile would drown in the norm of all
    double largest = expected.abs().max().item_double();
    assertThat(Deviation.absolute(found, expected)).isLessThan(0.02 * largest);
    assertThat(Deviation.relative(found.to(ScalarType.Float), expected)).isLessThan(ROUNDED_TWICE);
  }

  /** The same bf16 values, whatever the dtype. */
  private static Tensor random(long seed, ScalarType type, long... shape) {
    Tensor onHost = Tensors.normal(Tensors.empty(ScalarType.Float, shape), 1, seed);
    return Tensors.to(GPU, onHost).to(ScalarType.BFloat16).to(type);
  }
}
