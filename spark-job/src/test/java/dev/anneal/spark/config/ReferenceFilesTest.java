package dev.anneal.spark.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * The files in {@code conf/} that say what {@link ConfigKeys} says. With {@code
 * -Dreference.write=true} they are written anew.
 */
class ReferenceFilesTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");

  @Test
  void listEveryKeyWithItsDefaultAndText() throws IOException {
    assertWritten("llama3.1-405b.yaml", ReferenceYaml.text());
  }

  @Test
  void tellEditorsWhatAKeyMayBe() throws IOException {
    assertWritten("anneal.schema.json", JsonSchema.text());
  }

  private static void assertWritten(String name, String text) throws IOException {
    Path file = CONF.resolve(name);
    if (Boolean.getBoolean("reference.write")) {
      Files.writeString(file, text);
    }
    assertThat(file)
        .as("run this test with -Dreference.write=true after a change of ConfigKeys")
        .content()
        .isEqualTo(text);
  }
}
