package dev.anneal.training.io;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteSizeTest {
  @ParameterizedTest
  @CsvSource({
    "300, 300",
    "5GB, 5000000000",
    "2 GiB, 2147483648",
    "1.5tb, 1500000000000",
    "7KB, 7000",
    "0.5MiB, 524288"
  })
  void readsUnitsOfBothKinds(String text, long bytes) {
    assertThat(ByteSize.parse(text)).hasValue(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "GB", "-1GB", "0", "0.0001", "five", "1.5555GB", "9999999999999TB"})
  void takesNothingElse(String text) {
    assertThat(ByteSize.parse(text)).isEmpty();
  }

  @Test
  void aNumberAloneMaySayNothing() {
    assertThat(ByteSize.parseWithUnit("80")).isEmpty();
    assertThat(ByteSize.parseWithUnit("80gb ")).hasValue(80_000_000_000L);
  }
}
