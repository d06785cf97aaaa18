package dev.anneal.spark.merge;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.Anneal;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.SparkEnv;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a merge that cannot be carried out gets before Spark starts, and what a plan says. */
class MergeRefusalsTest {
  private static final Path GOLDEN =
      Path.of(System.getProperty("anneal.shared"), "golden", "tiny-llama31").normalize();
  private static final Path TINY =
      Path.of(System.getProperty("anneal.home"), "conf", "tiny", "model").normalize();

  @TempDir Path folder;

  private record Executed(int code, String out, String err) {}

  private Executed merge(String... more) {
    List<String> args = new ArrayList<>(List.of("merge"));
    args.addAll(List.of(more));
    if (!args.contains("--adapter")) {
      args.addAll(List.of("--adapter", GOLDEN + "/adapter_final"));
    }
    if (!args.contains("--output")) {
      args.addAll(List.of("--output", output().toString()));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        Anneal.execute(
            args.toArray(String[]::new),
            new PrintStream(out, true, UTF_8),
            new PrintStream(err, true, UTF_8));
    assertThat(SparkEnv.get()).as("Spark has started").isNull();
    return new Executed(code, out.toString(UTF_8), err.toString(UTF_8));
  }

  private String refusal(String... more) throws IOException {
    Executed executed = merge(more);
    assertThat(executed.code()).as(executed.err()).isEqualTo(2);
    assertThat(executed.out()).isEmpty();
    assertThat(executed.err().lines()).singleElement().asString().matches("anneal: .*[.?]");
    return executed.err();
  }

  private Path output() {
    return folder.resolve("merged");
  }

  @Test
  void thePlanIsTold() throws IOException {
    Executed plan = merge("--model", GOLDEN + "/model", "--max-shard-size", "200KB", "--dry-run");
    assertThat(plan.code()).as(plan.err()).isZero();
    assertThat(plan.out())
        .contains("173,504 parameters of " + GOLDEN, "as the base model has them")
        .contains("  model-00001-of-0000");
    assertThat(output()).doesNotExist();
  }

  @Test
  void theBaseModelIsTheOneOfTheAdapter() throws IOException {
    Path adapter = Files.createDirectory(folder.resolve("adapter"));
    Path there = GOLDEN.resolve("adapter_final");
    Files.copy(
        there.resolve("adapter_model.safetensors"), adapter.resolve("adapter_model.safetensors"));
    String config = Files.readString(there.resolve("adapter_config.json"));
    Files.writeString(
        adapter.resolve("adapter_config.json"),
        config.replaceFirst(
            "\"base_model_name_or_path\": *(null|\"[^\"]*\")",
            "\"base_model_name_or_path\": \"" + GOLDEN + "/model\""));
    Executed plan = merge("--adapter", adapter.toString(), "--dry-run");
    assertThat(plan.code()).as(plan.err()).isZero();
    assertThat(plan.out()).contains(GOLDEN + "/model");
  }

  @Test
  void anAdapterOfAnotherModelIsRefused() throws IOException {
    assertThat(refusal("--model", TINY.toString())).contains("does not fit the model in " + TINY);
  }

  @Test
  void aRunKnowsWhatItTrainedOn() throws IOException {
    Path run = Files.createDirectory(folder.resolve("run"));
    Path adapter = Files.createDirectory(run.resolve("adapter"));
    try (Stream<Path> files = Files.list(GOLDEN.resolve("adapter_final"))) {
      for (Path file : files.toList()) {
        Files.copy(file, adapter.resolve(file.getFileName()));
      }
    }
    Files.writeString(run.resolve("run.json"), "{\"model_fingerprint\": \"0123\"}");
    assertThat(refusal("--adapter", adapter.toString(), "--model", GOLDEN + "/model"))
        .contains("was trained on another model", run + "/run.json");
  }

  @Test
  void whatIsNotThereIsNamed() throws IOException {
    assertThat(refusal("--model", folder + "/none")).contains(folder + "/none", "config.json");
    assertThat(refusal("--adapter", folder + "/none", "--model", GOLDEN + "/model"))
        .contains("There is no adapter in " + folder + "/none");
    assertThat(refusal("--model", "random:llama3.1-8b")).contains("fetch the model first");
    assertThat(refusal("--model", "s3a:no")).contains("no path or URI");
    assertThat(refusal("--model", GOLDEN + "/model", "--dtype", "int4"))
        .contains("'int4'", "fp32, fp16, bf16 or fp8");
    assertThat(refusal("--model", GOLDEN + "/model", "--max-shard-size", "much"))
        .contains("'much'", "5GB");
  }

  @Test
  void whatStandsInTheOutputIsKept() throws IOException {
    Files.createDirectory(output());
    Files.writeString(output().resolve("config.json"), "{}");
    assertThat(refusal("--model", GOLDEN + "/model")).contains("holds files that no merge.json");
    assertThat(refusal("--model", GOLDEN + "/model", "--overwrite"))
        .contains("choose an empty folder");
    assertThat(output().resolve("config.json")).hasContent("{}");
    Path link = Files.createSymbolicLink(folder.resolve("link"), GOLDEN.resolve("model"));
    for (String same : List.of(GOLDEN + "/model", GOLDEN + "//model", link.toString())) {
      assertThat(refusal("--model", GOLDEN + "/model", "--output", same))
          .contains("which is what is merged");
    }
  }
}
