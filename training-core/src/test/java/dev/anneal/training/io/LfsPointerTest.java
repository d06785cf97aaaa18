package dev.anneal.training.io;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.model.config.LlamaConfig;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LfsPointerTest {
  private static final String POINTER =
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4976698672\n";

  @TempDir Path folder;

  @Test
  void isCalledSoInThePlaceOfWeights() throws IOException {
    Path file = Files.writeString(folder.resolve("model.safetensors"), POINTER);
    try (SeekableByteChannel channel = Files.newByteChannel(file)) {
      assertThatThrownBy(() -> SafetensorsHeader.read(channel, "model.safetensors"))
          .isInstanceOf(InvalidModelException.class)
          .hasMessageStartingWith("model.safetensors is a Git LFS pointer");
    }
  }

  @Test
  void isCalledSoInThePlaceOfAConfiguration() throws IOException {
    Files.writeString(folder.resolve("config.json"), POINTER);
    assertThatThrownBy(() -> LlamaConfig.read(new LocalModelFolder(folder)))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("config.json is a Git LFS pointer");
  }
}
