package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.cudnn.RowGroup;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** cuDNN's attention against the reference in fp32, beside FlashAttention's. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class CudnnAttentionGpuTest {
  private static final Device GPU = Device.gpu(0);
  private static final String[] NAMES = {"output", "dQ", "dK", "dV"};

  private final List<String> notices = new ArrayList<>();
  private final FlashAttention flash = new FlashAttention();
  private CudnnAttention cudnn;

  @BeforeEach
  void begin() {
    GpuMath.deterministic();
    cudnn = new CudnnAttention(GPU, notices::add);
  }

  @AfterEach
  void end() {
    torch_cuda.device_synchronize();
    cudnn.close();
  }

  /** Heads, heads of keys, elements of a head, lengths of rows. */
  static Stream<Arguments> samples() {
    int[] ragged = {1024, 1, 500, 37, 2000, 534};
    return Stream.of(
        Arguments.of(32, 8, 128, new int[] {1024, 1024, 1024, 1024}),
        Arguments.of(32, 8, 128, ragged),
        Arguments.of(64, 8, 128, ragged),
        // in parts of the heads, and the short rows after the long one
        Arguments.of(32, 8, 128, new int[] {77, 8192, 1}),
        // a row that has room of its own
        Arguments.of(8, 2, 128, new int[] {12_000, 77}),
        Arguments.of(32, 8, 128, new int[] {1}),
        Arguments.of(12, 4, 64, ragged),
        Arguments.of(4, 2, 64, new int[] {300, 1, 200, 3}),
        Arguments.of(8, 8, 64, ragged),
        Arguments.of(6, 6, 80, new int[] {129, 128, 127}));
  }

  @ParameterizedTest
  @MethodSource("samples")
  void isAsExactAsFlashAttention(int heads, int kvHeads, int headDim, int[] lengths) {
    AttentionSample sample = AttentionSample.of(GPU, heads, kvHeads, headDim, lengths);
    Tensor[] found = sample.compute(cudnn);
    assertThat(notices).as("what fell back to FlashAttention").isEmpty();
    assertCloseToReference(sample, found);
    for (int run = 0; run < 3; run++) {
      assertThat(equal(sample.compute(cudnn), found)).as("the same bits, run %s", run).isTrue();
    }
  }

  /** Whatever is asked for later has been expected, and the bits are the same whoever makes it. */
  @Test
  void expectedPlansAreThoseThatAreAskedFor() {
    int[] first = {300, 20};
    AttentionSample.of(GPU, 32, 8, 128, first).compute(cudnn);
    int[][] batches = {
      {1024, 1, 500, 37, 2000, 534}, {77, 8192, 1}, {4096}, {60, 50, 44, 130, 256, 90, 72}
    };
    for (int[] lengths : batches) {
      cudnn.expect(lengths);
    }
    int expected = cudnn.planCount();
    assertThat(expected).isGreaterThan(2 + batches.length);
    try (CudnnAttention unprepared = new CudnnAttention(GPU, notices::add)) {
      for (int[] lengths : batches) {
        try (TensorScope scope = new TensorScope()) {
          AttentionSample sample = AttentionSample.of(GPU, 32, 8, 128, lengths);
          assertThat(equal(sample.compute(cudnn), sample.compute(unprepared))).isTrue();
        }
      }
      torch_cuda.device_synchronize();
    }
    assertThat(cudnn.planCount()).isEqualTo(expected);
    assertThat(notices).isEmpty();
  }

  /** A run may end while plans are being made. */
  @Test
  void isClosedWhilePlansAreMade() {
    AttentionSample.of(GPU, 8, 2, 64, 300, 20).compute(cudnn);
    // a kernel is compiled for each, of which all together take some eight seconds
    for (int blocks : new int[] {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64}) {
      cudnn.expect(new int[] {128 * blocks, 5});
    }
    torch_cuda.device_synchronize();
    long begin = System.nanoTime();
    cudnn.close();
    assertThat(System.nanoTime() - begin)
        .as("waits for one plan, not for all")
        .isLessThan((long) 4e9);
    cudnn = new CudnnAttention(GPU, notices::add);
    assertThat(notices).isEmpty();
  }

  private void assertCloseToReference(AttentionSample sample, Tensor[] found) {
    Tensor[] exact = sample.exact().compute(new PlainAttention());
    Tensor[] beside = sample.compute(flash);
    for (int i = 0; i < found.length; i++) {
      double error = error(found[i], exact[i]);
      double flashError = error(beside[i], exact[i]);
      System.out.printf(
          Locale.ROOT, "%-6s error %.3e, FlashAttention's %.3e%n", NAMES[i], error, flashError);
      assertThat(error).as("relative error of %s", NAMES[i]).isLessThan(1.5 * flashError + 1e-4);
    }
  }

  /** The gradient of the scores of such a row has no room: its backward is FlashAttention's. */
  @Test
  void aRowThatIsTooLongGoesBackByFlashAttention() {
    cudnn.close();
    cudnn = new CudnnAttention(GPU, notices::add, new RowGroup.Room(1L << 30, 1L << 30));
    AttentionSample sample = AttentionSample.of(GPU, 4, 1, 128, 9000, 5);
    Tensor[] found = sample.compute(cudnn);
    assertThat(notices)
        .containsExactly(
            "attention by FlashAttention where cuDNN does not serve: the backward of a row of 9000 tokens has no room");
    assertCloseToReference(sample, found);
    sample.compute(cudnn);
    assertThat(notices).as("told once").hasSize(1);
  }

  @Test
  void otherDtypesAreFlashAttentions() {
    AttentionSample sample = AttentionSample.of(GPU, 4, 2, 64, 300, 20);
    AttentionSample half =
        new AttentionSample(
            4,
            2,
            64,
            sample.batch(),
            sample.qkv().to(ScalarType.Half),
            sample.dOutput().to(ScalarType.Half));
    assertThat(equal(half.compute(cudnn), half.compute(flash))).isTrue();
    assertThat(notices).hasSize(1);
  }

  /** Rows of a group must not write where rows of another lie, nor a batch where another did. */
  @Test
  void batchesDoNotDisturbEachOther() {
    AttentionSample one = AttentionSample.of(GPU, 32, 8, 128, 500, 3000, 1, 4096, 70);
    AttentionSample other = AttentionSample.of(GPU, 32, 8, 128, 1024, 1024);
    Tensor[] alone = one.compute(cudnn);
    for (int round = 0; round < 3; round++) {
      RowAttention.Output first = one.forward(cudnn);
      RowAttention.Output second = other.forward(cudnn);
      other.backward(cudnn, second);
      RowAttention.Gradients gradients = one.backward(cudnn, first);
      Tensor[] found = {first.output(), gradients.dQ(), gradients.dK(), gradients.dV()};
      assertThat(equal(found, alone)).isTrue();
    }
    assertCloseToReference(one, alone);
  }

  @Test
  void plansOfRandomBatchesAreFew() {
    Random random = new Random(3);
    for (int batch = 0; batch < 30; batch++) {
      try (TensorScope scope = new TensorScope()) {
        AttentionSample.of(GPU, 8, 2, 64, lengths(random)).compute(cudnn);
      }
    }
    System.out.printf("%s plans for 30 batches%n", cudnn.planCount());
    assertThat(cudnn.planCount()).isLessThanOrEqualTo(24);
    assertThat(notices).isEmpty();
  }

  /** Rows of at most 1,024 tokens, 4,096 together. */
  private static int[] lengths(Random random) {
    List<Integer> lengths = new ArrayList<>();
    for (int left = 4096; left > 0; ) {
      int length = Math.min(left, 1 + random.nextInt(1024));
      lengths.add(length);
      left -= length;
    }
    return lengths.stream().mapToInt(Integer::intValue).toArray();
  }

  /** What {@code plan} counts for the operator's own. */
  @Test
  void aBackwardTakesNoMoreThanIsCounted() {
    AttentionSample sample = AttentionSample.of(GPU, 32, 8, 128, 1024, 1024, 1024, 1024);
    RowAttention.Output forward = sample.forward(cudnn);
    sample.backward(cudnn, forward);
    torch_cuda.device_synchronize();
    GpuMemory memory = new GpuMemory(GPU);
    long held = memory.allocatedBytes();
    memory.resetPeak();
    sample.backward(cudnn, forward);
    long tokens = 4096;
    long gradients = tokens * 48 * 128 * 2;
    long perHead = 2 * tokens * 32 * 128 * 2;
    long scores = 4L * 32 * 1024 * 1024 * 2;
    assertThat(memory.peakAllocatedBytes() - held)
        .isLessThanOrEqualTo(gradients + perHead + scores + tokens * 32 * 4 + (1 << 20));
  }

  private static boolean equal(Tensor[] found, Tensor[] expected) {
    return IntStream.range(0, expected.length).allMatch(i -> found[i].equal(expected[i]));
  }

  private static double error(Tensor found, Tensor exact) {
    try (TensorScope scope = new TensorScope()) {
      Tensor difference = found.to(ScalarType.Float).sub(exact);
      return difference.norm().item_double() / Math.max(1e-12, exact.norm().item_double());
    }
  }
}
