package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PermutationTest {
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 16, 17, 1000, 65_537})
  void holdsEveryNumberOnce(long size) {
    Permutation order = new Permutation(size, 3);
    assertThat(LongStream.range(0, size).map(order::at).sorted().toArray())
        .isEqualTo(LongStream.range(0, size).toArray());
  }

  @Test
  void mixesFarAndNear() {
    long size = 100_000;
    Permutation order = new Permutation(size, 3);
    // of a random order, the first tenth has the mean of all, and neighbours are a third apart
    assertThat(LongStream.range(0, size / 10).map(order::at).average().orElseThrow())
        .isCloseTo(size / 2.0, within(size / 50.0));
    assertThat(
            LongStream.range(1, size)
                .map(i -> Math.abs(order.at(i) - order.at(i - 1)))
                .average()
                .orElseThrow())
        .isCloseTo(size / 3.0, within(size / 100.0));
  }

  @Test
  void findsItsWayAmongMoreNumbersThanMemoryHolds() {
    long size = 3_000_000_000_000L;
    Permutation order = new Permutation(size, 3);
    assertThat(LongStream.range(0, 1000).map(order::at).distinct().boxed())
        .hasSize(1000)
        .allMatch(number -> number >= 0 && number < size);
  }
}
