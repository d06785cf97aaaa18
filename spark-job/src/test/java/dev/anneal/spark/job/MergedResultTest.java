package dev.anneal.spark.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.LocalSpark;
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
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A base model that is another at the end of a run than it was before, and merges cut off. */
class MergedResultTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final Path GOLDEN =
      Path.of(System.getProperty("anneal.shared"), "golden", "tiny-llama31").normalize();
  private static final RunFolder.Guard NONE = () -> {};

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

  /** As `merge` does, which promises to go on with the files that are missing. */
  @Test
  void aMergeThatWasCutOffGoesOn() throws IOException {
    copy(GOLDEN.resolve("model"), dir.resolve("model"));
    copy(GOLDEN.resolve("adapter_final"), Files.createDirectories(dir.resolve("out/adapter")));
    CheckedRequest checked = checked(new MergedModel.Made(1, "file:" + dir.resolve("model")));
    Path merged = dir.resolve("out/merged");
    Path weights = merged.resolve("model.safetensors");
    Path note = merged.resolve("_merge/model.safetensors.json");
    try (SparkSession spark = LocalSpark.session(1)) {
      SparkContext context = spark.sparkContext();
      assertThatThrownBy(() -> publish(checked, endsOnceThereIs(note), context))
          .isInstanceOf(JobFailedException.class)
          .hasMessageContaining("the power is out");
      assertThat(merged.resolve("config.json")).doesNotExist();
      FileTime written = Files.getLastModifiedTime(weights);

      assertThat(publish(checked, NONE, context)).hasValue("file:" + merged);
      assertThat(said.toString())
          .contains("Going on: 1 of the files are there.", "Verified: one file as written")
          .contains("likeliest tokens equal");
      assertThat(Files.getLastModifiedTime(weights)).isEqualTo(written);
      assertThat(merged.resolve("config.json")).isRegularFile();
      assertThat(note).doesNotExist();
    }
  }

  /** What is left of another adapter's is no part of this one. */
  @Test
  void aMergeOfAnotherAdapterBeginsAnew() throws IOException {
    copy(GOLDEN.resolve("model"), dir.resolve("model"));
    Path adapter = Files.createDirectories(dir.resolve("out/adapter"));
    copy(GOLDEN.resolve("adapter_init"), adapter);
    CheckedRequest checked = checked(new MergedModel.Made(1, "file:" + dir.resolve("model")));
    Path merged = dir.resolve("out/merged");
    Path note = merged.resolve("_merge/model.safetensors.json");
    try (SparkSession spark = LocalSpark.session(1)) {
      SparkContext context = spark.sparkContext();
      assertThatThrownBy(() -> publish(checked, endsOnceThereIs(note), context))
          .hasMessageContaining("the power is out");
      byte[] first = Files.readAllBytes(merged.resolve("model.safetensors"));
      copy(GOLDEN.resolve("adapter_final"), adapter);
      publish(checked, NONE, context);
      assertThat(said.toString()).doesNotContain("Going on: ").contains("likeliest tokens equal");
      byte[] second = Files.readAllBytes(merged.resolve("model.safetensors"));
      assertThat(second).isNotEqualTo(first);
      // a run that trains on does the same with a merge that is whole
      publish(checked, NONE, context);
      assertThat(merged.resolve("model.safetensors")).hasBinaryContent(second);
    }
  }

  private static RunFolder.Guard endsOnceThereIs(Path file) {
    return () -> {
      if (Files.exists(file)) {
        throw new IOException("the power is out");
      }
    };
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        Files.copy(
            file, to.resolve(file.getFileName().toString()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
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

  /** No job is begun. */
  private Optional<String> publish(CheckedRequest checked) {
    return publish(checked, NONE, null);
  }

  private Optional<String> publish(
      CheckedRequest checked, RunFolder.Guard guard, SparkContext spark) {
    ProgressDisplay display =
        new ProgressDisplay(
            new PrintWriter(said, true), ProgressDisplay.Medium.FILE, System::nanoTime, s -> s);
    return MergedResult.publish(checked, guard, spark, display);
  }
}
