package dev.anneal.training.io;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ExcerptTest {
  @Test
  void isOneShortLineOfWhateverThereIs() {
    assertThat(Excerpt.of("model.layers.0 ä")).isEqualTo("model.layers.0 ä");
    assertThat(Excerpt.of("a\nb\u2028c\u202ed\0")).isEqualTo("a?b?c?d?");
    assertThat(Excerpt.of("(".repeat(1 << 20))).isEqualTo("(".repeat(120) + "...");
  }
}
