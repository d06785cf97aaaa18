package dev.anneal.training.cudnn;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BucketsTest {
  @Test
  void bucketsAreFewAndClose() {
    assertThat(IntStream.rangeClosed(1, 17).map(Buckets::of))
        .containsExactly(1, 2, 3, 4, 6, 6, 8, 8, 12, 12, 12, 12, 16, 16, 16, 16, 24);
    assertThat(IntStream.rangeClosed(1, 100_000).map(Buckets::of).distinct().count())
        .isLessThanOrEqualTo(34);
    assertThat(IntStream.rangeClosed(1, 100_000))
        .allMatch(count -> Buckets.of(count) >= count && Buckets.of(count) <= count * 3 / 2);
  }

  @Test
  void whatIsWithinIsTheLargestBucketThatFits() {
    assertThat(Buckets.within(0)).isZero();
    assertThat(IntStream.rangeClosed(1, 100_000))
        .allMatch(
            count ->
                Buckets.within(count) <= count
                    && Buckets.of(Buckets.within(count)) == Buckets.within(count)
                    && Buckets.of(Buckets.within(count) + 1) > count);
    assertThat(Buckets.within(1L << 40)).isEqualTo(3 << 29);
  }

  @Test
  void rowsArePaddedToWholeBlocks() {
    assertThat(IntStream.of(1, 128, 129, 300, 500, 1024, 1025, 8192).map(Buckets::tokens))
        .containsExactly(128, 128, 256, 384, 512, 1024, 1536, 8192);
  }
}
