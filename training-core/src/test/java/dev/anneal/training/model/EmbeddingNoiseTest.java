package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.Rows;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(InTensorScope.class)
class EmbeddingNoiseTest {
  private static final double ALPHA = 5;

  /** Odd, so that vectors of the CPU do not divide it. */
  private static final int HIDDEN = 333;

  @Test
  void isTheHashOfSeedPositionAndChannel() {
    Tensor noise = noise(HIDDEN, new long[] {17, -4}, 3, 6);
    for (int token = 0; token < 9; token++) {
      long seed = token < 3 ? 17 : -4;
      int length = token < 3 ? 3 : 6;
      long key = Seeds.mix(seed, token < 3 ? token : token - 3);
      for (int channel = 0; channel < HIDDEN; channel++) {
        int odd = mixed(mixed(mixed(channel) ^ (int) key) + (int) (key >>> 32)) >> 8 | 1;
        float expected = odd * (float) (ALPHA / Math.sqrt(length * HIDDEN) / (1 << 23));
        assertThat((float) at(noise, token, channel)).isEqualTo(expected);
      }
    }
  }

  /** lowbias32 */
  private static int mixed(int x) {
    int y = (x ^ x >>> 16) * 0x7feb352d;
    int z = (y ^ y >>> 15) * 0x846ca68b;
    return z ^ z >>> 16;
  }

  /** Each within four deviations of what uniform numbers have. */
  @ParameterizedTest
  @ValueSource(ints = {5, 40, 700})
  void isUniformWithinABoundThatFallsWithTheLengthOfItsRow(int length) {
    int hidden = 512;
    double bound = ALPHA / Math.sqrt(length * hidden);
    Tensor scaled =
        noise(hidden, new long[] {9}, length).to(ScalarType.Double).div(Tensors.scalar(bound));
    double count = length * hidden;
    assertThat(scaled.mean().item_double())
        .isBetween(-4 / Math.sqrt(3 * count), 4 / Math.sqrt(3 * count));
    double square = scaled.square().mean().item_double();
    assertThat(Math.abs(square - 1.0 / 3)).isLessThan(4 * 2 / Math.sqrt(45 * count));
    assertThat(scaled.abs().max().item_double()).isBetween(1 - 12 / count, 1.0);
  }

  @Test
  void neighboursAreNotAlike() {
    Tensor noise = noise(512, new long[] {9, 10}, 300, 300);
    Tensor scaled = noise.div(noise.square().mean().sqrt());
    // a token and the next, a row and the next, a channel and the next
    assertUncorrelated(scaled.narrow(0, 0, 299), scaled.narrow(0, 1, 299));
    assertUncorrelated(scaled.narrow(0, 0, 300), scaled.narrow(0, 300, 300));
    assertUncorrelated(scaled.narrow(1, 0, 511), scaled.narrow(1, 1, 511));
  }

  private static void assertUncorrelated(Tensor a, Tensor b) {
    double correlation = a.mul(b).mean().item_double();
    assertThat(Math.abs(correlation)).isLessThan(4 / Math.sqrt((double) a.numel()));
  }

  @Test
  void ofARowDoesNotDependOnTheOthers() {
    Tensor together = noise(HIDDEN, new long[] {1, 2, 3}, 4, 7, 2);
    Tensor alone = noise(HIDDEN, new long[] {2}, 7);
    assertThat(together.narrow(0, 4, 7).equal(alone)).isTrue();
    assertThat(noise(HIDDEN, new long[] {3}, 7).equal(alone)).isFalse();
  }

  @Test
  void manyTokensAreMadePieceByPiece() {
    // pieces of 2^22 numbers
    int hidden = 1 << 20;
    Tensor noise = noise(hidden, new long[] {1}, 9);
    double bound = ALPHA / Math.sqrt(9.0 * hidden);
    for (int token = 0; token < 9; token++) {
      double largest = noise.select(0, token).abs().max().item_double();
      assertThat(largest).isBetween(0.999 * bound, bound);
    }
  }

  @Test
  void noneAddsNothing() {
    Tensor x = Tensors.zeros(ScalarType.Float, 3, 4);
    EmbeddingNoise.NONE.addTo(x, TokenBatch.of(Rows.random(5, 1, 3)));
    assertThat(x.abs().max().item_double()).isZero();
  }

  /** What is added to the rows of one sequence. */
  private static Tensor noise(int hidden, long[] seeds, int... lengths) {
    List<TokenSequence> rows = Rows.random(11, 1, lengths);
    TokenBatch batch = TokenBatch.of(List.of(Rows.packed(rows)));
    Tensor x = Tensors.zeros(ScalarType.Float, batch.tokens(), hidden);
    new EmbeddingNoise(ALPHA, seeds).addTo(x, batch);
    return x;
  }

  private static double at(Tensor noise, int token, int channel) {
    return noise.select(0, token).select(0, channel).item_double();
  }
}
