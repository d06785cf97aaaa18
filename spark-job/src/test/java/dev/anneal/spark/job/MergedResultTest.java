package dev.anneal.spark.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.preflight.CheckedRequest;
import dev.anneal.spark.preflight.MergedModel;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.Specs;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.model.config.LlamaConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A base model that is another at the end of a run than it was before. */
class MergedResultTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");

  @TempDir Path dir;

  private final StringWriter said = new StringWriter();
  private Path shape;

  @BeforeEach
  void model() throws IOException {
    Path model = Files.createDirectory(dir.resolve("model"));
    shape = Files.copy(CONF.resolve("tiny/model/config.json"), model.resolve("config.json"));
  }

  @Test
  void aModelThatIsGoneFailsTheRunWithTheCommand() throws IOException {
    CheckedRequest checked = checked(new MergedModel.Made(1, "file:" + dir.resolve("model")));
    Files.delete(shape);
    assertThatThrownBy(() -> publish(checked))
        .isInstanceOf(JobFailedException.class)
        .hasMessageStartingWith("The adapter is published in " + dir.resolve("out/adapter"))
        .hasMessageContaining("config.json")
        .hasMessageEndingWith(command());
  }

  @Test
  void oneWithoutItsWeightsFailsItToo() throws IOException {
    CheckedRequest checked = checked(new MergedModel.Made(1, "file:" + dir.resolve("model")));
    assertThatThrownBy(() -> publish(checked))
        .isInstanceOf(JobFailedException.class)
        .hasMessageContaining("model.safetensors")
        .hasMessageEndingWith(command());
  }

  @Test
  void whatWasNotedBeforeTheRunIsALine() throws IOException {
    CheckedRequest checked = checked(new MergedModel.Impossible("it has no room"));
    assertThat(publish(checked)).isEmpty();
    assertThat(said.toString()).contains("model.safetensors", command());
  }

  private String command() {
    return "run ./submit.sh merge --model %s --adapter %s --output FOLDER."
        .formatted(dir.resolve("model"), dir.resolve("out/adapter"));
  }

  private CheckedRequest checked(MergedModel merged) throws IOException {
    AnnealConfig config =
        ConfigLoader.load(
            CONF.resolve("tiny.yaml"),
            List.of("model.path=" + dir.resolve("model"), "output.merged=true"),
            dir);
    LlamaConfig llama = LlamaConfig.read(new LocalModelFolder(dir.resolve("model")));
    LoraLayout adapters = LoraLayout.of(Specs.lora(config), llama);
    CheckedRequest.Model model =
        new CheckedRequest.Model("", null, llama.vocabSize(), adapters, merged);
    RunFolder folder = new RunFolder("file:" + dir.resolve("out"), new Configuration());
    return new CheckedRequest(config, null, null, model, folder, Optional.empty(), List.of());
  }

  private Optional<String> publish(CheckedRequest checked) {
    ProgressDisplay display =
        new ProgressDisplay(
            new PrintWriter(said, true), ProgressDisplay.Medium.FILE, System::nanoTime, s -> s);
    // no job is begun
    return MergedResult.publish(checked, () -> {}, null, display);
  }
}
