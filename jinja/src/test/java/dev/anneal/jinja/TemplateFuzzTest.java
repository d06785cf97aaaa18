package dev.anneal.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Generated templates with generated values, rendered by Jinja2 itself and here: the same text, an
 * error on both sides, or a refusal of what Python makes anew each time or of a few named
 * constructs. {@code src/test/python/fuzz.py} makes them.
 */
class TemplateFuzzTest {
  private static final int CASES = Integer.getInteger("fuzz.cases", 3_000);
  private static final String SEED = System.getProperty("fuzz.seed", "anneal");

  @Test
  void rendersAsJinja2Does() throws IOException, InterruptedException {
    Comparison comparison = Comparison.of(PythonJinja.cases("fuzz", List.of("" + CASES, SEED)));

    System.out.println(comparison);
    assertThat(comparison.differences()).isEmpty();
    assertThat(comparison.cases()).isEqualTo(CASES);
    assertThat(comparison.equal()).isGreaterThan(CASES / 3);
    assertThat(comparison.refusals().ofConstructs()).isLessThan(CASES / 50);
  }
}
