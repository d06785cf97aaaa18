package dev.anneal.spark.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The recipes in {@code conf/}. */
class RecipesTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");

  @ParameterizedTest
  @ValueSource(
      strings = {"tiny.yaml", "llama3.1-8b.yaml", "llama3.1-70b.yaml", "llama3.1-405b.yaml"})
  void areComplete(String recipe) {
    AnnealConfig config = load(recipe);
    assertThat(config.model().path()).isNotNull();
    assertThat(config.data().rows().source()).isNotNull();
    assertThat(config.output().path()).isNotNull();
  }

  @Test
  void writeOutEveryDefaultForTheLargestModel() throws IOException {
    JsonNode recipe =
        new YAMLMapper().readTree(Files.readString(CONF.resolve("llama3.1-405b.yaml")));
    for (ConfigKey key : ConfigSchema.keys()) {
      assertThat(recipe.path(key.section()).has(key.field())).as(key.name()).isTrue();
    }
    AnnealConfig loaded = load("llama3.1-405b.yaml");
    AnnealConfig defaults =
        ConfigLoader.load(
            null,
            List.of(
                "model.path=" + loaded.model().path(),
                "data.source=" + loaded.data().rows().source(),
                "output.path=" + loaded.output().path()),
            CONF);
    assertThat(loaded).isEqualTo(defaults);
  }

  @Test
  void nameThePlaceOfTheBundledModelFromAnywhere() {
    assertThat(load("tiny.yaml").model().path()).isEqualTo("file:" + CONF + "/tiny/model");
  }

  private static AnnealConfig load(String recipe) {
    return ConfigLoader.load(CONF.resolve(recipe), List.of(), Path.of("/"));
  }
}
