package dev.anneal.training.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.kernel.Kernels.AdamWStep;
import dev.anneal.training.kernel.Kernels.Normed;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
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

/** Every kernel against its twin, whose results stand beside it on the same GPU. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class CudaKernelsTest {
  private static final Device GPU = Device.gpu(0);
  private static final double EPS = 1e-5;

  private static CudaKernels kernels;
  private final Kernels plain = new PlainKernels();

  /** A compute dtype and how far a kernel's result may be from the twin's. */
  enum Real {
    // 8 bits: an fp32 difference may tip the rounding to the next value
    BF16(ScalarType.BFloat16, 1.0 / 128, 1e-3),
    FP32(ScalarType.Float, 2e-5, 1e-5);

    private final ScalarType type;
    private final double element;
    private final double norm;

    Real(ScalarType type, double element, double norm) {
      this.type = type;
      this.element = element;
      this.norm = norm;
    }
  }

  record Shape(Real real, long rows, long width) {}

  static Stream<Shape> shapes() {
    return Stream.of(Real.values())
        .flatMap(
            real ->
                Stream.of(1L, 5L, 123L)
                    .flatMap(
                        rows ->
                            Stream.of(8L, 40L, 123L, 123L * 8, 4096L, 14336L, 28672L)
                                .map(width -> new Shape(real, rows, width))));
  }

  static Stream<Shape> wideShapes() {
    return Stream.of(Real.values())
        .flatMap(
            real -> Stream.of(53248L, 53251L, 106496L).map(width -> new Shape(real, 3, width)));
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
  void rmsNorm(Shape shape) {
    Tensor x = random(1, shape);
    Tensor weight = random(2, shape.real(), shape.width());
    for (Matmul matmul : Matmul.values()) {
      poison();
      Normed found = kernels.rmsNorm(x, weight, EPS, matmul);
      Normed expected = plain.rmsNorm(x, weight, EPS, matmul);
      assertClose(shape.real(), found.output().values(), expected.output().values());
      assertClose(Real.FP32, found.rstd(), expected.rstd());
      assertForm(found.output(), null, matmul == Matmul.FP8);
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void addRmsNorm(Shape shape) {
    Tensor x = random(1, shape);
    Tensor delta = random(2, shape);
    Tensor weight = random(3, shape.real(), shape.width());
    for (Matmul matmul : Matmul.values()) {
      Tensor foundSum = delta.clone();
      Tensor expectedSum = delta.clone();
      poison();
      Normed found = kernels.addRmsNorm(x, foundSum, weight, EPS, matmul);
      Normed expected = plain.addRmsNorm(x, expectedSum, weight, EPS, matmul);
      assertThat(foundSum.equal(expectedSum)).isTrue();
      assertClose(shape.real(), found.output().values(), expected.output().values());
      assertClose(Real.FP32, found.rstd(), expected.rstd());
      assertForm(found.output(), null, matmul == Matmul.FP8);
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void rmsNormBackward(Shape shape) {
    Tensor x = random(1, shape);
    Tensor weight = random(2, shape.real(), shape.width());
    Tensor rstd = plain.rmsNorm(x, weight, EPS, Matmul.COMPUTE).rstd();
    Tensor dResidual = random(4, shape);
    for (Tensor columns : columnScales(shape.width())) {
      Tensor dOutput = random(3, shape);
      Tensor expected = dOutput.clone();
      poison();
      Rows found = kernels.rmsNormBackward(dOutput, x, rstd, weight, dResidual, columns);
      plain.rmsNormBackward(expected, x, rstd, weight, dResidual, columns);
      assertThat(found.values()).isSameAs(dOutput);
      assertClose(shape.real(), dOutput, expected);
      assertForm(found, columns, columns != null);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "BF16, 1, 40, 8, 128",
    "BF16, 123, 40, 8, 128",
    "BF16, 5, 136, 8, 128",
    "BF16, 5, 3, 1, 64",
    "BF16, 5, 3, 1, 6",
    "BF16, 5, 4, 0, 8",
    "FP32, 123, 40, 8, 128",
    "FP32, 5, 3, 1, 6"
  })
  void rope(Real real, long tokens, long count, long others, long headDim) {
    Tensor joined = random(1, real, tokens, (count + others) * headDim);
    Tensor expected = joined.clone();
    Tensor angles = angles(tokens, headDim);
    kernels.rope(heads(joined, count, headDim), angles);
    plain.rope(heads(expected, count, headDim), angles);
    assertClose(real, joined, expected);
    long rest = others * headDim;
    assertThat(
            joined
                .narrow(1, count * headDim, rest)
                .equal(expected.narrow(1, count * headDim, rest)))
        .isTrue();
  }

  private static Tensor heads(Tensor joined, long count, long headDim) {
    return joined.narrow(1, 0, count * headDim).view(joined.size(0), count, headDim);
  }

  @ParameterizedTest
  @CsvSource({
    "BF16, 1, 32, 8, 128",
    "BF16, 123, 32, 8, 128",
    "BF16, 5, 128, 8, 128",
    "BF16, 5, 3, 1, 64",
    "BF16, 5, 3, 1, 6",
    "FP32, 123, 32, 8, 128",
    "FP32, 5, 3, 1, 6"
  })
  void ropeBackward(Real real, long tokens, long heads, long kvHeads, long headDim) {
    Tensor dQ = random(1, real, tokens, heads, headDim);
    Tensor dK = random(2, real, tokens, kvHeads, headDim);
    Tensor dV = random(3, real, tokens, kvHeads, headDim);
    Tensor angles = angles(tokens, headDim);
    for (Tensor columns : columnScales((heads + 2 * kvHeads) * headDim)) {
      poison();
      Rows found = kernels.ropeBackward(dQ, dK, dV, angles, columns);
      Rows expected = plain.ropeBackward(dQ, dK, dV, angles, columns);
      assertClose(real, found.values(), expected.values());
      assertForm(found, columns, columns != null);
    }
  }

  @ParameterizedTest
  @MethodSource({"shapes", "wideShapes"})
  void swiglu(Shape shape) {
    Tensor gateUp = random(1, shape.real(), shape.rows(), 2 * shape.width()).mul(four());
    for (Matmul matmul : Matmul.values()) {
      poison();
      Rows found = kernels.swiglu(gateUp, matmul);
      Rows expected = plain.swiglu(gateUp, matmul);
      assertClose(shape.real(), found.values(), expected.values());
      assertForm(found, null, matmul == Matmul.FP8);
    }
  }

  @ParameterizedTest
  @MethodSource({"shapes", "wideShapes"})
  void swigluBackward(Shape shape) {
    Tensor gateUp = random(1, shape.real(), shape.rows(), 2 * shape.width()).mul(four());
    Tensor dOutput = random(2, shape);
    for (Tensor columns : columnScales(2 * shape.width())) {
      Tensor foundOutput = dOutput.clone();
      Tensor expectedOutput = dOutput.clone();
      Tensor foundGateUp = gateUp.clone();
      poison();
      Rows found = kernels.swigluBackward(foundOutput, foundGateUp, columns).dGateUp();
      Rows expected = plain.swigluBackward(expectedOutput, gateUp.clone(), columns).dGateUp();
      assertThat(found.values()).isSameAs(foundGateUp);
      assertClose(shape.real(), found.values(), expected.values());
      assertClose(shape.real(), foundOutput, expectedOutput);
      assertForm(found, columns, columns != null);
      // what the recomputed forward gives, to the bit
      assertThat(foundOutput.equal(kernels.swiglu(gateUp, Matmul.COMPUTE).values())).isTrue();
    }
  }

  @Test
  void swigluTakesAnySize() {
    Tensor gateUp = random(1, Real.BF16, 3, 80).mul(Tensors.scalar(1e4));
    assertClose(
        Real.BF16,
        kernels.swiglu(gateUp, Matmul.COMPUTE).values(),
        plain.swiglu(gateUp, Matmul.COMPUTE).values());
    Tensor dOutput = random(2, Real.BF16, 3, 40);
    Tensor expectedGateUp = gateUp.clone();
    plain.swigluBackward(dOutput.clone(), expectedGateUp, null);
    kernels.swigluBackward(dOutput, gateUp, null);
    assertClose(Real.BF16, gateUp, expectedGateUp);
  }

  @ParameterizedTest
  @MethodSource({"shapes", "wideShapes"})
  void quantize(Shape shape) {
    Tensor x = random(1, shape);
    if (shape.rows() > 2) {
      x.select(0, 1).zero_();
      x.select(0, 2).fill_(Tensors.scalar(1e-38));
    }
    for (Tensor columns : columnScales(shape.width())) {
      poison();
      assertForm(new Rows(x, kernels.quantize(x, columns)), columns, true);
    }
  }

  @ParameterizedTest
  @EnumSource(Real.class)
  void addressesNeedNotBeAligned(Real real) {
    Tensor x = shifted(random(1, real, 5, 64));
    Tensor weight = shifted(random(2, real, 64));
    poison();
    Normed found = kernels.rmsNorm(x, weight, EPS, Matmul.FP8);
    assertClose(
        real, found.output().values(), plain.rmsNorm(x, weight, EPS, Matmul.FP8).output().values());
    assertForm(found.output(), null, true);
    Tensor columns = shifted(random(3, Real.FP32, 64).abs());
    assertForm(new Rows(x, kernels.quantize(x, columns)), columns, true);
    Tensor expected = x.clone();
    plain.crossEntropy(expected, targets(5, 64));
    kernels.crossEntropy(x, targets(5, 64));
    assertClose(real, x, expected);
  }

  /** The same values one element after the beginning of their memory. */
  private static Tensor shifted(Tensor x) {
    long[] shape = new long[Math.toIntExact(x.dim())];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = x.size(i);
    }
    Tensor memory = Tensors.emptyLike(x, x.numel() + 1);
    Tensor moved = memory.narrow(0, 1, x.numel()).view(shape);
    moved.copy_(x);
    return moved;
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1",
    "5, 123",
    "16, 16",
    "123, 984",
    "128, 128",
    "144, 272",
    "1040, 4096",
    "14336, 4096"
  })
  void transpose(long rows, long columns) {
    Tensor bytes = random(1, Real.FP32, rows, columns).mul(Tensors.scalar(50));
    Tensor matrix =
        Tensors.to(
            GPU, bytes.to(ScalarType.Int).to(ScalarType.Char).view(ScalarType.Float8_e4m3fn));
    Tensor into = Tensors.empty(GPU, ScalarType.Byte, rows * columns + 64).fill_(Tensors.scalar(9));
    Tensor found = kernels.transpose(matrix, into);
    assertThat(found.scalar_type().intern()).isEqualTo(ScalarType.Float8_e4m3fn);
    assertThat(found.size(0)).isEqualTo(columns);
    assertThat(found.data_ptr()).isEqualTo(into.data_ptr());
    assertThat(found.view(ScalarType.Byte).equal(matrix.view(ScalarType.Byte).t().contiguous()))
        .isTrue();
    Tensor behind = into.narrow(0, rows * columns, 64);
    assertThat(behind.eq(Tensors.scalar(9)).all().item_bool()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "BF16, 1, 8",
    "BF16, 5, 123",
    "BF16, 123, 4096",
    "BF16, 5, 128256",
    "BF16, 5, 128255",
    "FP32, 5, 123",
    "FP32, 5, 128256"
  })
  void crossEntropy(Real real, long rows, long vocabulary) {
    Tensor logits = random(1, real, rows, vocabulary).mul(four());
    if (rows > 2) {
      // one word is certain, and another impossible
      logits.select(0, 1).select(0, 3).fill_(Tensors.scalar(60));
      logits.select(0, 2).select(0, 4).fill_(Tensors.scalar(Double.NEGATIVE_INFINITY));
    }
    Tensor targets = targets(rows, vocabulary);
    Tensor gradient = logits.clone();
    poison();
    Tensor loss = kernels.crossEntropy(logits, targets);
    Tensor expected = plain.crossEntropy(gradient, targets);
    assertThat(loss.sub(expected).abs().max().item_double()).isLessThan(2e-5);
    assertClose(real, logits, gradient);
  }

  /**
   * Parts that lie apart, the last of them not full; no token, one, and more than there are rows.
   */
  @ParameterizedTest
  @CsvSource({
    "BF16, 1, 8", "BF16, 2, 4096", "BF16, 3, 16384", "BF16, 3, 123",
    "FP32, 1, 4", "FP32, 2, 4096", "FP32, 8, 16384", "FP32, 3, 123"
  })
  void gatherRows(Real real, int parts, long width) {
    long partRows = 7;
    long rows = parts * partRows - 2;
    Tensor[] all = new Tensor[parts];
    long[] addresses = new long[parts];
    for (int part = parts - 1; part >= 0; part--) {
      all[part] = random(part, real, partRows, width);
      addresses[part] = all[part].data_ptr().address();
    }
    Tensor matrix = Tensors.cat(0, all);
    Tensor begins = Tensors.to(GPU, Tensors.of(addresses));
    for (int tokens : new int[] {0, 1, 5000}) {
      Tensor ids = targets(tokens, rows);
      Tensor found = Tensors.empty(GPU, real.type, tokens, width);
      Tensor expected = Tensors.empty(GPU, real.type, tokens, width);
      poison();
      kernels.gatherRows(begins, partRows, ids, rows, found);
      plain.gatherRows(begins, partRows, ids, rows, expected);
      assertThat(found.equal(expected)).as("%s tokens, against the twin", tokens).isTrue();
      assertThat(found.equal(matrix.index_select(0, ids))).as("%s tokens", tokens).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16, 1", "BF16, 123", "BF16, 135168", "FP32, 123", "FP32, 4096"})
  void adamW(Real real, long count) {
    Tensor[] found = moments(count);
    Tensor[] expected = moments(count);
    Tensor foundCompute = Tensors.empty(GPU, real.type, count);
    Tensor expectedCompute = Tensors.empty(GPU, real.type, count);
    Tensor gradient = random(4, Real.FP32, count);
    Tensor scale = Tensors.ones(GPU, ScalarType.Float, 1).mul(Tensors.scalar(0.5));
    for (AdamWStep step :
        List.of(
            new AdamWStep(1e-2, 0.1, 0.9, 0.999, 1e-8, 0.1, 0.001),
            new AdamWStep(1e-3, 0, 0.3, 0.95, 1e-3, 0.91, 0.0975))) {
      kernels.adamW(found[0], foundCompute, found[1], found[2], gradient, scale, step);
      plain.adamW(expected[0], expectedCompute, expected[1], expected[2], gradient, scale, step);
      for (int i = 0; i < found.length; i++) {
        assertClose(Real.FP32, found[i], expected[i]);
      }
      assertThat(foundCompute.equal(found[0].to(real.type))).isTrue();
    }
  }

  /** A parameter, m and v. */
  private static Tensor[] moments(long count) {
    return new Tensor[] {
      random(1, Real.FP32, count),
      random(2, Real.FP32, count).mul(Tensors.scalar(0.1)),
      random(3, Real.FP32, count).abs().mul(Tensors.scalar(0.1))
    };
  }

  @Test
  void sameInputSameBits() {
    Tensor x = random(1, Real.BF16, 123, 4096);
    Tensor weight = random(2, Real.BF16, 4096);
    Normed once = kernels.rmsNorm(x, weight, EPS, Matmul.FP8);
    Normed again = kernels.rmsNorm(x, weight, EPS, Matmul.FP8);
    assertThat(again.rstd().equal(once.rstd())).isTrue();
    assertThat(again.output().values().equal(once.output().values())).isTrue();
    Tensor logits = random(3, Real.BF16, 5, 128256);
    Tensor copy = logits.clone();
    Tensor loss = kernels.crossEntropy(logits, targets(5, 128256));
    assertThat(kernels.crossEntropy(copy, targets(5, 128256)).equal(loss)).isTrue();
    assertThat(copy.equal(logits)).isTrue();
  }

  @Test
  void nothingToDo() {
    Tensor none = Tensors.empty(GPU, ScalarType.BFloat16, 0, 64);
    assertThat(kernels.swiglu(none, Matmul.FP8).values().size(1)).isEqualTo(32);
    assertThat(kernels.quantize(none, null).bytes().size(0)).isZero();
  }

  @Test
  void refusesOperandsThatItWouldMisread() {
    Tensor x = random(1, Real.BF16, 5, 64);
    Tensor weight = random(2, Real.FP32, 64);
    assertThatThrownBy(() -> kernels.rmsNorm(x, weight, EPS, Matmul.COMPUTE))
        .hasMessage("weight must be contiguous and of BFloat16, and is contiguous of Float");
    assertThatThrownBy(() -> kernels.quantize(x.narrow(1, 0, 32), null))
        .hasMessage("x must be contiguous and of BFloat16, and is strided of BFloat16");
    assertThatThrownBy(() -> kernels.swiglu(x.to(ScalarType.Half), Matmul.COMPUTE))
        .hasMessage("kernels take bf16 and fp32, and not Half");
  }

  /** The FP8 form is there if it is due, and is that of the values, to the bit. */
  private void assertForm(Rows found, Tensor columnScale, boolean due) {
    assertThat(found.quantized() != null).isEqualTo(due);
    if (due) {
      Quantized expected = plain.quantize(found.values(), columnScale);
      assertThat(found.quantized().scale().equal(expected.scale())).isTrue();
      assertThat(
              found
                  .quantized()
                  .bytes()
                  .view(ScalarType.Byte)
                  .equal(expected.bytes().view(ScalarType.Byte)))
          .isTrue();
    }
  }

  private static void assertClose(Real real, Tensor found, Tensor expected) {
    assertThat(found.scalar_type().intern()).isEqualTo(expected.scalar_type().intern());
    Tensor a = found.to(ScalarType.Double);
    Tensor b = expected.to(ScalarType.Double);
    Tensor difference = a.sub(b);
    double largest = b.abs().max().item_double();
    Tensor bound =
        b.abs().mul(Tensors.scalar(real.element)).add(Tensors.scalar(1e-5 * largest + 1e-30));
    assertThat(difference.abs().le(bound).all().item_bool())
        .as("every element; the largest difference is %s", difference.abs().max().item_double())
        .isTrue();
    assertThat(difference.norm().item_double())
        .as("norm of the difference")
        .isLessThanOrEqualTo(real.norm * b.norm().item_double() + 1e-30);
  }

  /** The memory that the next tensors get is full of NaN. */
  private static void poison() {
    try (TensorScope scope = new TensorScope()) {
      for (int i = 0; i < 4; i++) {
        Tensors.empty(GPU, ScalarType.Byte, 1 << 19).fill_(Tensors.scalar(255));
        Tensors.empty(GPU, ScalarType.Byte, 1 << 24).fill_(Tensors.scalar(255));
      }
    }
  }

  /** None, and one for each of {@code width} columns. */
  private static Tensor[] columnScales(long width) {
    return new Tensor[] {null, random(9, Real.FP32, width).abs()};
  }

  private static Tensor angles(long tokens, long headDim) {
    Tensor freqs = random(8, Real.FP32, tokens, headDim / 2).mul(Tensors.scalar(10));
    return Tensors.cat(-1, freqs.cos(), freqs.sin());
  }

  /** Among them the first and the last. */
  private static Tensor targets(long rows, long vocabulary) {
    long[] targets = new long[Math.toIntExact(rows)];
    for (int i = 0; i < targets.length; i++) {
      targets[i] = i == 0 ? vocabulary - 1 : (i - 1) * 37L % vocabulary;
    }
    return Tensors.to(GPU, Tensors.of(targets));
  }

  private static Scalar four() {
    return Tensors.scalar(4);
  }

  private static Tensor random(long seed, Shape shape) {
    return random(seed, shape.real(), shape.rows(), shape.width());
  }

  private static Tensor random(long seed, Real real, long... shape) {
    Tensor onHost = Tensors.normal(Tensors.empty(ScalarType.Float, shape), 1, seed);
    return Tensors.to(GPU, onHost).to(real.type);
  }
}
