package dev.anneal.spark.plan;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.spark.Anneal;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The command line of plan, its words and exit codes. */
class PlanCommandTest {
  /** Of 9,225 rows packed to 4,096; its files are not read. */
  private static final String DATASET =
      """
      {"schema_version": 1, "tokenizer_sha256": "aa", "template_sha256": null,
       "spec": {"source": "file:%s/rows.json", "format": "alpaca", "columns": {}, "template": null,
         "max_length": 4096, "long_rows": "truncate", "packing": true, "shuffle": true,
         "train_on_prompt": false, "limit": null, "eval_rows": 0, "max_bad_rows": 0.01, "seed": 42,
         "tokenizer": "file:/elsewhere"},
       "rows": {"read": 9229, "kept": 9225, "truncated": 0, "split": 0, "bad": {}, "dropped": {}},
       "train": {"sequences": 257, "rows": 9225, "tokens": 1044585, "target_tokens": 525030,
         "largest_token_id": 128009, "packing_efficiency": 0.99,
         "files": [{"name": "part-00000.arrow", "sequences": 257, "bytes": 1, "sha256": null}]},
       "eval": {"sequences": 0, "rows": 0, "tokens": 0, "target_tokens": 0,
         "largest_token_id": -1, "packing_efficiency": 0, "files": []},
       "token_lengths": {"64": 1154, "128": 5236, "256": 2619, "512": 206, "1024": 10}}
      """;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @Test
  void saysWhatFits() {
    int code =
        plan("--set model.path=random:llama3.1-8b --gpus 1 --gpu-memory 141GB --host-memory 2TB");
    assertThat(err.toString(UTF_8)).isEmpty();
    assertThat(code).isZero();
    assertThat(out.toString(UTF_8))
        .contains("frozen layers", "AdamW's moments", "CUDA context (assumed)", "of 141.0 GB")
        .contains("of 2000.0 GB", "Smallest base_weights.offload_ratio: 0.00\n")
        .containsPattern("Largest training.micro_batch_size of \\d+ tokens: \\d+\n")
        .containsPattern("Longest sequence, one at a time: \\d+\n");
  }

  @Test
  void saysWhichSettingWouldFit() {
    int code =
        plan(
            "--set model.path=random:llama3.1-70b --set data.max_length=1024 --gpus 1 --gpu-memory 80GB");
    assertThat(code).isEqualTo(2);
    assertThat(err.toString(UTF_8))
        .matches(
            "anneal: The run needs \\d+\\.\\d GB of a GPU that has 80\\.0 GB: set base_weights\\.offload_ratio=0\\.\\d\\d\\.\n");
    assertThat(out.toString(UTF_8)).contains("--host-memory says what there is");
  }

  @Test
  void aHostMayBeTooSmall() {
    int code =
        plan(
            "--set model.path=random:llama3.1-70b --set base_weights.offload_ratio=1 --gpus 8 --gpu-memory 141GB --host-memory 64GB");
    assertThat(code).isEqualTo(2);
    assertThat(err.toString(UTF_8)).contains("GB of a host that has 64.0 GB: ");
  }

  @Test
  void moreGpusHoldLessEach() {
    String eight = "--set model.path=random:llama3.1-70b --gpu-memory 80GB --gpus 8";
    assertThat(plan(eight)).isZero();
    assertThat(out.toString(UTF_8)).contains("NCCL (assumed)", "buffers for whole layers");
  }

  @Test
  void saysWhatAStepMovesAndHowFastItIs() {
    String two = "--set model.path=random:llama3.1-405b --gpus 2 --gpu-memory 141GB";
    assertThat(
            plan(two + " --set base_weights.offload_ratio=0.62 --set training.micro_batch_size=1"))
        .isZero();
    assertThat(out.toString(UTF_8))
        // 0.62 and 1 of 201 GB, 248 times of 126 layers
        .containsPattern("frozen layers +24\\d\\.\\d\\d +39\\d\\.\\d\\d\\n")
        .contains("from host", "NVLink", "gradient, summed")
        .containsPattern(
            "Speed on H200: about 2\\d\\d tokens/s of all GPUs, 7\\.\\d\\d s a step; 1,000 steps take 2\\.\\d hours; what binds: copies from the host's memory\\n");
  }

  /** Twice 402 GB for 16 GPUs, of which half is on the other node. */
  @Test
  void theNetworkBetweenNodesBindsWhereWeightsCrossIt() {
    String two =
        "--set model.path=random:llama3.1-405b --set base_weights.shard=world --gpus 8 --nodes 2 --gpu-memory 141GB";
    assertThat(plan(two)).isZero();
    assertThat(out.toString(UTF_8))
        .containsPattern(
            "; a node receives 400 Gbit/s from others; what binds: the GPU's products and kernels, \\d\\.\\d\\d s of it for gathers over NVLink\\n");
    out.reset();
    assertThat(plan(two + " --network 100Gbit")).isZero();
    Matcher seconds =
        Pattern.compile(
                "network\\n.* (\\d+\\.\\d\\d)\\n\\nSpeed on H200: about [\\d,]+ tokens/s of all GPUs, (\\d+\\.\\d\\d) s a step; .*; a node receives 100 Gbit/s from others; what binds: what comes over the network\\n",
                Pattern.DOTALL)
            .matcher(out.toString(UTF_8));
    assertThat(seconds.find()).as(out.toString(UTF_8)).isTrue();
    // eight GPUs' parts through 12.5 GB/s
    double expected = Double.parseDouble(seconds.group(1)) * 8 / 12.5;
    assertThat(Double.parseDouble(seconds.group(2))).isCloseTo(expected, within(0.01));
  }

  @Test
  void saysWhatRanksCublasltDoesNotTake() {
    String one = "--set model.path=random:llama3.1-8b --gpus 1 --gpu-memory 141GB --set lora.r=";
    assertThat(plan(one + 4)).isZero();
    assertThat(out.toString(UTF_8)).contains("Note: a rank of 4 is no multiple of 8, ");
    out.reset();
    assertThat(plan(one + 8)).isZero();
    assertThat(out.toString(UTF_8)).doesNotContain("Note: ");
  }

  @Test
  void saysNoSpeedOfGpusThatNobodyMeasured() {
    assertThat(plan("--set model.path=random:llama3.1-8b --gpus 1 --gpu-memory 48GB")).isZero();
    assertThat(out.toString(UTF_8)).contains("Speed: no estimate, for only H100s");
  }

  /** What {@code prep} has left in the run's folder, of rows as Alpaca has them. */
  @Test
  void countsTheRowsThatArePrepared(@TempDir Path folder) throws IOException {
    String one =
        "--set model.path=random:llama3.1-8b --set data.max_length=4096 --set data.packing=true --set data.source=%s/rows.json --set output.path=%s --gpus 1 --gpu-memory 141GB"
            .formatted(folder, folder);
    assertThat(plan(one)).isZero();
    assertThat(out.toString(UTF_8)).contains("\nRows count as 4096 tokens each, all learned: ");
    double longRows = tokensPerSecond();
    Path dataset = Files.createDirectory(folder.resolve("dataset"));
    Files.writeString(dataset.resolve("dataset.json"), DATASET.formatted(folder));
    out.reset();
    assertThat(plan(one)).isZero();
    assertThat(err.toString(UTF_8)).isEmpty();
    assertThat(out.toString(UTF_8))
        .contains(
            "\nRows as prepared in output.path: 9,225 of 113 tokens on average, 50% of the tokens learned.\n");
    assertThat(tokensPerSecond()).isGreaterThan(1.2 * longRows);
    // prepared for another run
    out.reset();
    assertThat(plan(one + " --set data.train_on_prompt=true")).isZero();
    assertThat(out.toString(UTF_8)).contains("train_on_prompt is true and was false");
    assertThat(tokensPerSecond()).isEqualTo(longRows);
  }

  private double tokensPerSecond() {
    Matcher speed = Pattern.compile("about ([\\d,]+) tokens/s").matcher(out.toString(UTF_8));
    assertThat(speed.find()).as(out.toString(UTF_8)).isTrue();
    return Double.parseDouble(speed.group(1).replace(",", ""));
  }

  @Test
  void decidesWhatIsLeftToMemory() {
    String auto =
        "--set model.path=random:llama3.1-405b --gpu-memory 80GB --host-memory 2TB --set base_weights.offload_ratio=auto --set activations.checkpoint=auto";
    assertThat(plan(auto)).isZero();
    assertThat(out.toString(UTF_8))
        .containsPattern(
            "With base_weights.offload_ratio=(0\\.\\d\\d), activations.checkpoint=\\w+\\nSmallest base_weights.offload_ratio: \\1\\n");
  }

  @Test
  void saysHowManyLayersWaitOnTheHost() {
    String auto =
        "--set model.path=random:llama3.1-8b --set activations.host_layers=auto --set data.packing=false --gpus 1";
    assertThat(plan(auto + " --gpu-memory 150GB --host-memory 128GB")).isZero();
    assertThat(out.toString(UTF_8))
        .containsPattern("activations.checkpoint=layer, activations.host_layers=(8|9|1[0-2])\\n");
    out.reset();
    assertThat(plan(auto + " --gpu-memory 150GB")).isZero();
    assertThat(out.toString(UTF_8))
        .contains("activations.host_layers=0 (what the host has is not known)\n");
    out.reset();
    assertThat(plan(auto + " --gpu-memory 48GB --host-memory 128GB")).isZero();
    assertThat(out.toString(UTF_8))
        .contains("activations.host_layers=0 (the speed of these GPUs is not known)\n");
  }

  /** Each on the node that it is for. */
  @ParameterizedTest
  @CsvSource({
    "llama3.1-8b, 80GB",
    "llama3.1-70b, 80GB",
    "llama3.1-405b, 80GB",
    "llama3.1-405b, 141GB"
  })
  void plansEveryRecipe(String recipe, String gpuMemory) throws IOException {
    Path home = Path.of(System.getProperty("anneal.home"));
    String file = home.resolve("conf/" + recipe + ".yaml").toString();
    String shape = "--set model.path=random:" + recipe;
    int code = plan("--config " + file + " " + shape + " --gpu-memory " + gpuMemory);
    assertThat(out.toString(UTF_8)).contains("Speed on H");
    Matcher smallest =
        Pattern.compile("Smallest base_weights.offload_ratio: (\\d\\.\\d\\d)\n")
            .matcher(out.toString(UTF_8));
    assertThat(smallest.find()).as(out.toString(UTF_8)).isTrue();
    if (smallest.group(1).equals("0.00")) {
      assertThat(code).isZero();
    } else {
      assertThat(code).isEqualTo(2);
      String setting = "base_weights.offload_ratio=" + smallest.group(1);
      assertThat(err.toString(UTF_8)).endsWith("set " + setting + ".\n");
      // the page says what to set there
      assertThat(home.resolve("docs/gpu.md"))
          .content()
          .contains("`base_weights.offload_ratio: %s`".formatted(smallest.group(1)));
    }
  }

  @Test
  void theRecipeForCpusHasNoPlan() {
    String file = System.getProperty("anneal.home") + "/conf/tiny.yaml";
    assertThat(plan("--config " + file + " --gpu-memory 80GB")).isEqualTo(2);
    assertThat(err.toString(UTF_8)).contains("A plan is for GPUs");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--gpus 1 --gpu-memory 80GB | model.path is not set",
        "--set model.path=random:llama3.1-8b --set cluster.gpus_per_node=0 --set compute.matmul=bf16 --gpu-memory 80GB | with --gpus N",
        "--set model.path=random:llama3.1-8b --gpus 1 --gpu-memory 80 | --gpu-memory is '80', but must be",
        "--set model.path=random:llama3.1-8b --gpus 1 --gpu-memory 80GB --host-memory 0GB | --host-memory is '0GB'",
        "--set model.path=random:llama3.1-8b --gpus 1 --gpu-memory 80GB --network 100GB | --network is '100GB', but must be",
        "--set model.path=random:llama3.1-8b --gpus 1 --gpu-memory 80GB --network 0Gbit | --network is '0Gbit'",
        "--set model.path=random:llama3.1-9b --gpus 1 --gpu-memory 80GB | there is no shape named 'llama3.1-9b'",
        "--set model.path=hub:org/name --gpus 1 --gpu-memory 80GB | is fetched when a run begins",
        "--set model.path=random:llama3.1-8b --gpus 1 | with --gpu-memory",
        "--set model.path=nowhere --gpus 1 --gpu-memory 80GB | nowhere",
        "--set model.path=random:llama3.1-8b --gpus 0 --gpu-memory 80GB | --gpus N",
      })
  void refusesInOneSentence(String args, String sentence) {
    assertThat(plan(args)).isEqualTo(2);
    assertThat(err.toString(UTF_8))
        .startsWith("anneal: ")
        .contains(sentence)
        .hasLineCount(1)
        .containsPattern("[.?]\n$");
  }

  private int plan(String args) {
    List<String> all = new ArrayList<>(List.of("plan"));
    all.addAll(List.of(args.split(" ")));
    return Anneal.execute(
        all.toArray(String[]::new),
        new PrintStream(out, true, UTF_8),
        new PrintStream(err, true, UTF_8));
  }
}
