package dev.anneal.training.product;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.kernel.LowRankProduct;
import dev.anneal.training.kernel.LowRankProduct.Form;
import dev.anneal.training.kernel.LowRankProduct.Range;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.product.Products.LowRank;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which products go to the kernel, of matrices on the host. */
@ExtendWith(InTensorScope.class)
class LowRankPlanTest {
  private static final long M = 300;
  private static final long K = 1040;

  /** As q, k and v have them. */
  private static final long[] COLUMNS = {512, 256, 272};

  private static final long N = 512 + 256 + 272;

  @Test
  void aForwardOfThreeModulesIsTaken() {
    LowRankProduct product = forward(M, K, adapters(M, 64, 8, 16)).orElseThrow();
    assertThat(product.form()).isEqualTo(new Form(false, false, false));
    assertThat(product.left()).isEqualTo(new LowRankProduct.Memory(0, M, K, K));
    assertThat(product.right()).isEqualTo(new LowRankProduct.Memory(0, N, K, K));
    assertThat(product.result()).isEqualTo(new LowRankProduct.Memory(0, M, N, N));
    assertThat(product.ranges()).extracting(Range::begin).containsExactly(0L, 512L, 768L);
    assertThat(product.ranges().get(2))
        .isEqualTo(
            new Range(
                768,
                new LowRankProduct.Memory(0, M, 16, 88),
                new LowRankProduct.Memory(0, 272, 16, 16),
                0.5));
  }

  /** Ranks of q, k and v; 0: no adapter. */
  @ParameterizedTest
  @CsvSource({
    "8, 0, 8, 0 512 768",
    "0, 8, 0, 0 512 768",
    "8, 0, 0, 0 512",
    "0, 0, 8, 0 768",
    "8, 8, 0, 0 512 768"
  })
  void modulesWithoutAnAdapterAreRangesOfTheirOwnTogether(int q, int k, int v, String begins) {
    LowRankProduct product = forward(M, K, adapters(M, q, k, v)).orElseThrow();
    assertThat(product.ranges())
        .extracting(range -> Long.toString(range.begin()))
        .containsExactlyElementsOf(List.of(begins.split(" ", -1)));
    int[] ranks = {q, k, v};
    for (Range range : product.ranges()) {
      int module = range.begin() == 0 ? 0 : range.begin() == 512 ? 1 : 2;
      if (ranks[module] > 0) {
        assertThat(range.low().columns()).isEqualTo(ranks[module]);
      } else {
        assertThat(range).isEqualTo(Range.without(range.begin()));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 255})
  void fewRowsAreNot(long rows) {
    assertThat(forward(rows, K, adapters(rows, 8, 8, 8))).isEmpty();
    assertThat(forward(256, K, adapters(256, 8, 8, 8))).isPresent();
  }

  @Test
  void neitherIsWhatHasNoAdapterOrNothingToSum() {
    assertThat(forward(M, K, List.of())).isEmpty();
    assertThat(forward(M, 0, adapters(M, 8, 8, 8))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 5, 12})
  void neitherAreRanksWhoseRowsAreNotAligned(int r) {
    assertThat(forward(M, K, adapters(M, 8, r, 8))).isEmpty();
  }

  @Test
  void neitherAreRowsThatAreNotAligned() {
    assertThat(forward(M, K + 4, adapters(M, 8, 8, 8))).isEmpty();
    Matrix out = bf16(M, N + 4).columns(0, N);
    assertThat(LowRankPlan.of(bf16(M, K), bf16(N, K).t(), out, adapters(M, 8, 8, 8))).isEmpty();
    // scales of two columns are read at once
    Matrix odd = bf16(M, N).columns(0, N - 1);
    List<LowRank> all = List.of(adapter(M, 0, N - 1, 8, 1));
    assertThat(LowRankPlan.of(bf16(M, K), bf16(N - 1, K).t(), odd, all)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, Double.NaN, 1e-30, 1e30})
  void neitherAreScalesThatSumsCannotBeDividedBy(double scale) {
    assertThat(forward(M, K, List.of(adapter(M, 0, N, 8, scale)))).isEmpty();
    assertThat(forward(M, K, List.of(adapter(M, 0, N, 8, -0.25)))).isPresent();
  }

  @Test
  void neitherAreModulesThatTilesAreSharedBy() {
    assertThat(forward(M, K, List.of(adapter(M, 0, 512, 8, 1), adapter(M, 520, 520, 8, 1))))
        .isEmpty();
    assertThat(forward(M, K, List.of(adapter(M, 0, 520, 8, 1)))).isEmpty();
  }

  @Test
  void neitherAreMoreThanThreeRanges() {
    assertThat(forward(M, K, List.of(adapter(M, 256, 256, 8, 1), adapter(M, 768, 16, 8, 1))))
        .isEmpty();
  }

  @Test
  void neitherAreAdaptersThatAreNotInOrderOrBeyondTheResult() {
    assertThat(forward(M, K, List.of(adapter(M, 512, 528, 8, 1), adapter(M, 0, 512, 8, 1))))
        .isEmpty();
    assertThat(forward(M, K, List.of(adapter(M, 0, 768, 8, 1), adapter(M, 512, 528, 8, 1))))
        .isEmpty();
    assertThat(forward(M, K, List.of(adapter(M, 0, 2 * N, 8, 1)))).isEmpty();
  }

  @Test
  void neitherAreOtherDtypes() {
    Matrix left = Matrix.of(Tensors.empty(ScalarType.Float, M, K));
    Matrix right = Matrix.of(Tensors.empty(ScalarType.Float, N, K)).t();
    Matrix out = Matrix.of(Tensors.empty(ScalarType.Float, M, N));
    List<LowRank> adapters = adapters(M, 8, 8, 8);
    assertThat(LowRankPlan.of(left, right, out, adapters)).isEmpty();
    assertThat(LowRankPlan.of(bf16(M, K), bf16(N, K).t(), out, adapters)).isEmpty();
    assertThat(LowRankPlan.of(bf16(M, K), right, bf16(M, N), adapters)).isEmpty();
  }

  @Test
  void aBackwardHasRightAndFactorByColumns() {
    LowRank all = new LowRank(bf16(M, 192), bf16(192, N), 0, 1);
    LowRankProduct product =
        LowRankPlan.of(bf16(M, K), bf16(K, N), bf16(M, N), List.of(all)).orElseThrow();
    assertThat(product.form()).isEqualTo(new Form(false, true, true));
    assertThat(product.right()).isEqualTo(new LowRankProduct.Memory(0, K, N, N));

    LowRank half = new LowRank(bf16(M, 192), bf16(192, 512), 0, 1);
    LowRank rest = new LowRank(bf16(M, 192), bf16(192, 528), 512, 1);
    LowRank byRows = adapter(M, 512, 528, 8, 1);
    for (List<LowRank> each :
        List.of(List.of(half), List.of(rest), List.of(half, rest), List.of(half, byRows))) {
      assertThat(LowRankPlan.of(bf16(M, K), bf16(K, N), bf16(M, N), each)).isEmpty();
    }
    assertThat(LowRankPlan.of(bf16(K, M).t(), bf16(K, N), bf16(M, N), List.of(all))).isEmpty();
  }

  @Test
  void fp8HasScales() {
    Tensor rightScale = Tensors.empty(ScalarType.Float, 2 + N);
    Quantized left = new Quantized(fp8(M, K), Tensors.empty(ScalarType.Float, M, 1));
    Matrix right = Matrix.of(fp8(N, K));
    Tensor out = Tensors.empty(ScalarType.BFloat16, M, N);
    List<LowRank> adapters = adapters(M, 8, 8, 8);
    LowRankProduct product =
        LowRankPlan.of(left, right, rightScale.narrow(0, 2, N), out, adapters).orElseThrow();
    assertThat(product.form()).isEqualTo(new Form(true, false, false));
    assertThat(product.leftScale()).isEqualTo(left.scale().data_ptr().address());
    assertThat(product.rightScale()).isEqualTo(rightScale.data_ptr().address() + 8);
    // two scales are read at once
    assertThat(LowRankPlan.of(left, right, rightScale.narrow(0, 1, N), out, adapters)).isEmpty();

    LowRank all = new LowRank(bf16(M, 192), bf16(192, N), 0, 1);
    assertThat(LowRankPlan.of(left, right, rightScale, out, List.of(all)).orElseThrow().form())
        .isEqualTo(new Form(true, false, true));
  }

  private static Optional<LowRankProduct> forward(long m, long k, List<LowRank> adapters) {
    return LowRankPlan.of(bf16(m, k), bf16(N, k).t(), bf16(m, N), adapters);
  }

  /** Those of q, k and v, whose low-rank activations lie beside each other. */
  private static List<LowRank> adapters(long m, int... ranks) {
    int all = 0;
    for (int r : ranks) {
      all += r;
    }
    Matrix low = bf16(m, all);
    List<LowRank> adapters = new ArrayList<>();
    long column = 0;
    long first = 0;
    for (int i = 0; i < ranks.length; i++) {
      if (ranks[i] > 0) {
        Matrix factor = bf16(COLUMNS[i], ranks[i]).t();
        adapters.add(new LowRank(low.columns(first, ranks[i]), factor, column, 0.5));
      }
      first += ranks[i];
      column += COLUMNS[i];
    }
    return adapters;
  }

  private static LowRank adapter(long m, long column, long n, int r, double scale) {
    return new LowRank(bf16(m, r), bf16(n, r).t(), column, scale);
  }

  private static Matrix bf16(long rows, long columns) {
    return Matrix.of(Tensors.empty(ScalarType.BFloat16, rows, columns));
  }

  private static Tensor fp8(long rows, long columns) {
    return Tensors.empty(ScalarType.Float8_e4m3fn, rows, columns);
  }
}
