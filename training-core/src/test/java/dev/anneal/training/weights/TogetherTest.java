package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Property;
import org.junit.jupiter.api.Test;

class TogetherTest {
  private static final String NAME = "anneal.test.together";

  @Test
  void whatIsSmallIsToldByItsBytes() {
    long most = 2_147_483_648L;
    assertThat(Together.asked(NAME)).isEqualTo(Together.SMALL);
    assertThat(Together.SMALL.admits(most)).isTrue();
    assertThat(Together.SMALL.admits(most + 1)).isFalse();
    assertThat(Together.ALWAYS.admits(Long.MAX_VALUE)).isTrue();
    assertThat(Together.NEVER.admits(0)).isFalse();
  }

  @Test
  void aPropertySaysOtherwise() {
    try (Property property = Property.set(NAME, "never")) {
      assertThat(Together.asked(NAME)).isEqualTo(Together.NEVER);
    }
    try (Property property = Property.set(NAME, "sometimes")) {
      assertThatThrownBy(() -> Together.asked(NAME))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("anneal.test.together=sometimes is none of small, always and never.");
    }
  }
}
