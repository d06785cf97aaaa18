package dev.anneal.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/**
 * The templates of folders, rendered on conversations by transformers itself and here. {@code
 * src/test/python/published.py} asks transformers.
 */
class PublishedTemplatesTest {
  @Test
  @EnabledIfSystemProperty(named = "published", matches = ".+")
  void rendersAsTransformersDoes() throws IOException, InterruptedException {
    List<String> folders = List.of(System.getProperty("published").split(","));
    Comparison comparison = Comparison.of(PythonJinja.cases("published", folders));

    System.out.println(comparison);
    assertThat(comparison.differences()).isEmpty();
    assertThat(comparison.equal()).isPositive();
  }
}
