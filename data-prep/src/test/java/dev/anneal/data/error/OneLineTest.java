package dev.anneal.data.error;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class OneLineTest {
  @Test
  void takesLineEndsOutOfAMessage() {
    assertThat(new InvalidDataException("'ä' is broken (a\r\nb\0): remove it.\u2028"))
        .hasMessage("'ä' is broken (a b ): remove it. ");
  }

  @Test
  void keepsTheEndsOfALongMessage() {
    assertThat(OneLine.of("it holds " + "[".repeat(1 << 20) + ": remove it."))
        .startsWith("it holds [[")
        .endsWith("[[: remove it.")
        .hasSizeLessThan(1000);
  }
}
