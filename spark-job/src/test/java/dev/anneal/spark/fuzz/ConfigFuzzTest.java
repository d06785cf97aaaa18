package dev.anneal.spark.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.ConfigLoader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fuzz")
class ConfigFuzzTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final List<String> WORDS =
      List.of(
          "&a [*a, *a]",
          "*a",
          "&a ",
          "!!java.net.URL [x]",
          "!!binary ",
          "<<: *a",
          "? ",
          "--- ",
          "...",
          "training:\n",
          "  seed: ",
          "lora:\n",
          "[q_proj]",
          "1_000",
          "0x7f",
          "0o17",
          "1:30",
          "yes",
          "2026-01-01",
          ".inf",
          ".nan",
          "|\n",
          ">\n",
          "model.path=",
          "${conf}",
          "random:",
          "file://");

  @TempDir(factory = MemoryTempDir.class)
  Path dir;

  @Test
  void files() throws Exception {
    try (Stream<Path> recipes = Files.list(CONF)) {
      List<byte[]> seeds =
          recipes
              .filter(path -> path.toString().endsWith(".yaml"))
              .sorted()
              .map(this::read)
              .toList();
      Path file = dir.resolve("config.yaml");
      Fuzz.run(
          "configuration files",
          new Mutator(Fuzz.seed(), seeds, WORDS),
          yaml -> {
            Files.write(file, yaml);
            ConfigLoader.load(file, List.of(), dir);
          },
          BadRequestException.class);
    }
  }

  private byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void options() throws Exception {
    List<byte[]> seeds =
        Stream.of(
                "training.max_steps=100",
                "lora.target_modules=[q_proj, v_proj]",
                "optimizer.betas=[0.9, 0.999]",
                "data.columns={instruction: question}",
                "model.path=random:llama3.1-8b",
                "output.path=s3a://bucket/run")
            .map(text -> text.getBytes(UTF_8))
            .toList();
    Fuzz.run(
        "--set options",
        new Mutator(Fuzz.seed(), seeds, WORDS),
        set -> ConfigLoader.load(null, List.of(new String(set, UTF_8)), dir),
        BadRequestException.class);
  }
}
