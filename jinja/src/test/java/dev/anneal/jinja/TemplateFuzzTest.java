package dev.anneal.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.jinja.error.TemplateException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Generated templates with generated values, rendered by Jinja2 itself and here: the same text, an
 * error on both sides, or a refusal of what Python makes anew each time. {@code
 * src/test/python/fuzz.py} makes them.
 */
class TemplateFuzzTest {
  private static final int CASES = Integer.getInteger("fuzz.cases", 3_000);
  private static final String SEED = System.getProperty("fuzz.seed", "anneal");
  private static final Template.Settings SETTINGS =
      new Template.Settings(
          LocalDateTime.of(2026, 2, 1, 3, 4, 5).atZone(ZoneOffset.UTC), Duration.ofSeconds(30));
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final TypeReference<Map<String, Object>> MAP = new TypeReference<>() {};

  @Test
  void rendersAsJinja2Does() throws IOException, InterruptedException {
    Path cases = PythonJinja.cases(CASES, SEED);
    List<String> differences = new ArrayList<>();
    int seen = 0;
    int equal = 0;
    int refused = 0;
    try (BufferedReader lines = Files.newBufferedReader(cases)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        Map<String, Object> expected = JSON.readValue(line, MAP);
        String text = (String) expected.get("text");
        seen++;
        try {
          String rendered = render(expected);
          equal++;
          if (!rendered.equals(text)) {
            differences.add(line + " but it is " + rendered);
          }
        } catch (TemplateException e) {
          boolean unsupported = e.kind() == TemplateException.Kind.UNSUPPORTED;
          refused += unsupported ? 1 : 0;
          if (text != null && !unsupported) {
            differences.add(line + " but it fails: " + e.getMessage());
          }
        }
      }
    }
    assertThat(differences).isEmpty();
    assertThat(seen).isEqualTo(CASES);
    assertThat(refused).isLessThan(CASES / 20);
    System.out.printf(
        "%d templates: %d rendered by both, %d refused as unsupported, %d fail in both%n",
        seen, equal, refused, seen - equal - refused);
  }

  @SuppressWarnings("unchecked")
  private static String render(Map<String, Object> expected) {
    return Template.of((String) expected.get("template"))
        .render((Map<String, Object>) expected.get("variables"), SETTINGS)
        .text();
  }
}
