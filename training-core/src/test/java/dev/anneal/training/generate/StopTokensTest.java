package dev.anneal.training.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StopTokensTest {
  private static final LlamaConfig CONFIG = LlamaConfig.named("llama3.1-8b");

  @TempDir Path folder;

  @Test
  void bothFilesCount() throws IOException {
    assertThat(of("{\"eos_token_id\": [128009, 128008]}"))
        .containsExactlyInAnyOrder(128_001, 128_008, 128_009);
    assertThat(of("{\"eos_token_id\": 7}")).containsExactlyInAnyOrder(128_001, 7);
    assertThat(of("{}")).containsExactly(128_001);
  }

  @Test
  void theConfigurationAloneIsEnough() throws IOException {
    ModelSource source = new ModelSource.Folder(new LocalModelFolder(folder));
    assertThat(StopTokens.of(source, CONFIG)).containsExactly(128_001);
    assertThat(StopTokens.of(new ModelSource.Random(CONFIG, 1), CONFIG)).containsExactly(128_001);
  }

  @Test
  void refusesIdsThatAreNone() {
    assertThatThrownBy(() -> of("{\"eos_token_id\": \"<|eot_id|>\"}"))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("generation_config.json: eos_token_id must be a whole number");
  }

  private Set<Integer> of(String json) throws IOException {
    Files.writeString(folder.resolve("generation_config.json"), json);
    return StopTokens.of(new ModelSource.Folder(new LocalModelFolder(folder)), CONFIG);
  }
}
