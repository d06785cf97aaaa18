package dev.anneal.spark;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.storage.Storage;
import dev.anneal.training.cuda.Gpus;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkEnv;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a request that cannot be carried out gets: exit code 2 and one sentence that names the place
 * and the remedy, before Spark starts.
 */
class RefusalsTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final Path MODEL = CONF.resolve("tiny/model");
  private static final String GOOD_ROW =
      """
      {"instruction": "Say hello.", "input": "", "output": "Hello!"}
      """;

  @TempDir Path folder;

  @BeforeEach
  void chooseTheMaster() {
    System.setProperty("spark.master", "local-cluster[2,1,1024]");
  }

  @AfterEach
  void forgetTheMaster() {
    System.clearProperty("spark.master");
    System.clearProperty("anneal.host.root");
    System.clearProperty("spark.dynamicAllocation.enabled");
    System.clearProperty("spark.executor.cores");
    System.clearProperty("spark.executor.resource.gpu.amount");
  }

  @Test
  void anUnknownKeyNamesTheNearest() {
    assertThat(refusal("--set", "lora.rank=8"))
        .contains("lora.rank", "--set lora.rank=8", "did you mean lora.r?");
  }

  @Test
  void aMistypedValueNamesWhatWasExpected() {
    assertThat(refusal("--set", "lora.r=abc"))
        .contains("lora.r in --set lora.r=abc", "must be a whole number of at least 1");
  }

  @Test
  void aProfileOfFewerStepsThanNoneNamesItsKey() {
    assertThat(refusal("--profile", "-1")).contains("profile.steps", "-1");
    assertThat(refusal("--profile", "many")).contains("--profile", "many");
  }

  @Test
  void aMissingKeyNamesTheOption() {
    assertThat(refusal("--set", "data.source=null"))
        .contains("data.source is not set", "--set data.source=");
  }

  @Test
  void anUnknownOptionOrCommandNamesTheHelp() {
    assertThat(execute("run", "--sett", "a=b").sentence()).contains("--sett", "--help");
    assertThat(execute("fly").sentence()).contains("fly", "--help");
    assertThat(execute().sentence())
        .contains("run, prep, train, fetch, generate, evaluate, merge, plan, report or doctor");
  }

  @Test
  void aModelFolderThatIsNotThereOrLacksAFileNamesIt() throws IOException {
    assertThat(refusal("--set", "model.path=" + folder.resolve("none")))
        .contains(folder.resolve("none").toString(), "config.json");
    for (String file : List.of("config.json", "model.safetensors", "tokenizer.json")) {
      Path model = copyOfModel(file);
      Files.delete(model.resolve(file));
      assertThat(refusal("--set", "model.path=" + model)).contains(model.toString(), file);
    }
  }

  @Test
  void aTruncatedCheckpointNamesTheFile() throws IOException {
    Path model = copyOfModel("truncated");
    Path weights = model.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    Files.write(weights, Arrays.copyOf(bytes, bytes.length - 100));
    assertThat(refusal("--set", "model.path=" + model)).contains(weights.toString());
  }

  @Test
  void aCheckpointThatLacksATensorNamesFileAndTensor() throws IOException {
    Path model = copyOfModel("lacking");
    Path weights = model.resolve("model.safetensors");
    String bytes = Files.readString(weights, ISO_8859_1);
    Files.writeString(
        weights, bytes.replaceFirst("model\\.norm\\.weight", "model.nose.weight"), ISO_8859_1);
    assertThat(refusal("--set", "model.path=" + model))
        .contains(weights.getParent().toString(), "model.norm.weight");
  }

  @Test
  void aRowWithATokenThatTheModelLacksNamesBoth() throws IOException {
    Path config = folder.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(MODEL.resolve("config.json"))
            .replaceFirst("\"vocab_size\": *\\d+", "\"vocab_size\": 100"));
    assertThat(refusal("--set", "model.path=random:" + config, "--set", "model.tokenizer=" + MODEL))
        .contains("Row 1", "instructions.json", "token 'Four'", "only 100", "model.tokenizer");
  }

  @Test
  void aRandomModelWithoutATokenizerNamesTheKey() {
    assertThat(refusal("--set", "model.path=random:llama3.1-8b"))
        .contains("random:llama3.1-8b", "model.tokenizer");
    assertThat(refusal("--set", "model.path=random:llama9")).contains("llama9");
  }

  @Test
  void dataThatIsNotJsonNamesFileAndLine() throws IOException {
    Path data = data(GOOD_ROW.repeat(2) + "{\"instruction\": oops}\n" + GOOD_ROW.repeat(60));
    assertThat(refusal("--set", "data.source=" + data))
        .contains(data.toString(), "row 3 of", "the row is not JSON");
  }

  @Test
  void tooManyRowsWithoutTheNeededFieldsNameTheLimit() throws IOException {
    Path data = data(GOOD_ROW.repeat(60) + "{\"instruction\": \"no output\"}\n".repeat(5));
    assertThat(refusal("--set", "data.source=" + data))
        .contains(data.toString(), "data.max_bad_rows");
  }

  @Test
  void columnsAndTemplatesThatDoNotFitNameTheKey() {
    assertThat(refusal("--set", "data.columns={question: q}"))
        .contains("data.columns names the field 'question'", "instruction, input, output");
    assertThat(refusal("--set", "data.columns={output: answer}"))
        .contains("field 'output' (column 'answer') is missing");
    assertThat(refusal("--set", "data.template=" + folder.resolve("none.jinja")))
        .contains("data.template", "none.jinja' does not exist");
  }

  @Test
  void sourcesThatAreNoFilesAreCheckedByTheirNames() {
    assertThat(refusal("--set", "data.source=hub:datasets/alpaca"))
        .contains("hub:datasets/alpaca", "write hub:datasets/ORG/NAME");
  }

  @Test
  void dataThatIsNotThereNamesTheKey() {
    assertThat(refusal("--set", "data.source=" + folder.resolve("none*.json")))
        .contains("none*.json", "data.source");
  }

  @Test
  void rowsThatTeachNothingAreRefused() throws IOException {
    String row = "{\"instruction\": \"%s\", \"output\": \"late\"}\n".formatted("word ".repeat(600));
    Path data = data(row.repeat(50));
    assertThat(refusal("--set", "data.source=" + data)).contains("data.max_length");
  }

  @Test
  void aFinishedRunIsNeverOverwrittenUnasked() throws IOException {
    Files.createDirectories(output());
    Files.writeString(
        output().resolve("run.json"), "{\"command\": \"run\", \"state\": \"succeeded\"}");
    assertThat(refusal()).contains(output().toString(), "finished run", "--overwrite");
    Files.delete(output().resolve("run.json"));
    Files.createDirectories(output().resolve("adapter"));
    assertThat(refusal()).contains(output().toString(), "adapter", "--overwrite");
  }

  @Test
  void foldersThatNoRunHasLeftAreNeverRemovedUnasked() throws IOException {
    for (String name : List.of("adapter", "model", "dataset")) {
      Path kept = Files.createDirectories(output().resolve(name));
      assertThat(refusal()).contains(output().toString(), "folder named " + name, "--overwrite");
      Files.delete(kept);
    }
    Files.writeString(output().resolve("run.json"), "{\"name\": \"of something else\"}");
    assertThat(refusal()).contains(output().toString(), "not Anneal's", "--overwrite");
    // the record of a prep answers for its data set alone
    Files.writeString(
        output().resolve("run.json"), "{\"command\": \"prep\", \"state\": \"failed\"}");
    Files.createDirectories(output().resolve("dataset"));
    assertThat(refusal("--set", "data.source=none.json")).contains("none.json");
    Files.createDirectories(output().resolve("model"));
    assertThat(refusal()).contains("folder named model");
  }

  @Test
  void filesThatNoRunHasLeftAreNeverReplacedUnasked() throws IOException {
    Files.createDirectories(output());
    for (String name : List.of("samples.json", "report.html", "mlflow.json")) {
      Path kept = Files.writeString(output().resolve(name), "<html>of something else</html>");
      assertThat(refusal())
          .isEqualTo(
              "output.path %s already holds a %s that no run.json tells of: choose another folder, or add --overwrite to replace it."
                  .formatted(output(), name));
      assertThat(refusal("--overwrite", "--set", "data.source=none.json")).contains("none.json");
      // a run's record answers for them
      Path record = output().resolve("run.json");
      Files.writeString(record, "{\"command\": \"run\", \"state\": \"failed\"}");
      assertThat(refusal("--set", "data.source=none.json")).contains("none.json");
      Files.delete(record);
      Files.delete(kept);
    }
    // a page that the verb report has made
    Files.writeString(
        output().resolve("report.html"),
        "<!DOCTYPE html>\n<head><meta name=\"generator\" content=\"Anneal 1.0\">");
    assertThat(refusal("--set", "data.source=none.json")).contains("none.json");
  }

  @Test
  void foldersThatAKeyMakesAreInTheWayOnlyWhereItIsSet() throws IOException {
    for (String[] made :
        List.of(
            new String[] {"tensorboard", "tracking.tensorboard=true"},
            new String[] {"profile", "profile.steps=1"},
            new String[] {"eval-dataset", "data.eval_source=rows.jsonl"})) {
      Path kept = Files.createDirectories(output().resolve(made[0]));
      assertThat(refusal("--set", made[1], "--set", "data.eval_rows=0"))
          .contains("folder named " + made[0], "--overwrite");
      assertThat(refusal("--set", "data.source=none.json")).contains("none.json");
      Files.delete(kept);
    }
  }

  @Test
  void nothingIsWrittenThroughALink() throws IOException {
    Files.createDirectories(output());
    Path elsewhere = Files.createDirectories(folder.resolve("elsewhere"));
    for (String name : List.of("adapter", "model", "checkpoints", "dataset", "hub", "run.json")) {
      for (Path target : List.of(elsewhere, folder.resolve("dangling"))) {
        Path link = Files.createSymbolicLink(output().resolve(name), target);
        String sentence =
            "output.path %s: %s there is a link, and nothing is written through one: remove it, or choose another output.path."
                .formatted(output(), name);
        assertThat(refusal()).isEqualTo(sentence);
        assertThat(refusal("--overwrite")).isEqualTo(sentence);
        Files.delete(link);
      }
    }
    // what is only read may lie elsewhere
    Files.createSymbolicLink(output().resolve("dataset"), elsewhere);
    Executed executed = execute("train", "--config", CONF + "/tiny.yaml", "--set", outputSet());
    assertThat(executed.sentence()).contains("prepare it first");
  }

  @Test
  void aRecordThatIsGarbageOrAPipeIsNamed() throws Exception {
    Path record = Files.createDirectories(output()).resolve("run.json");
    // begins as UTF-32 does
    Files.write(record, new byte[] {0, 0, 0, '{', 0, 1, 2, 3, 4, 5, 6, 7});
    assertThat(refusal()).contains("run.json is damaged", "--overwrite");
    Files.delete(record);
    new ProcessBuilder("mkfifo", record.toString()).start().waitFor();
    assertThat(refusal())
        .contains("output.path " + output(), "run.json is no regular file, but a pipe");
  }

  @Test
  void whatTheRunReadsIsNeverRemoved() throws IOException {
    Path model = copyOfModel("own");
    Files.createDirectories(output());
    Path inside = Files.move(model, output().resolve("model"));
    Path data = Files.createDirectories(output().resolve("dataset")).resolve("rows.jsonl");
    Files.writeString(data, GOOD_ROW.repeat(60));
    Path link = Files.createSymbolicLink(folder.resolve("link"), output());
    for (String set :
        List.of(
            "model.path=" + inside,
            "model.path=" + link.resolve("model"),
            "model.path=random:" + inside.resolve("config.json"),
            "model.tokenizer=" + inside,
            "lora.init_from=" + output().resolve("adapter/best"),
            "data.source=" + data,
            "data.source=" + output().resolve("*/*.jsonl"),
            "data.source=" + output().resolve("metrics.jsonl"))) {
      assertThat(refusal("--overwrite", "--set", set))
          .contains(set.substring(0, set.indexOf('=')), "another output.path than " + output());
    }
    assertThat(inside.resolve("model.safetensors")).exists();
    assertThat(data).exists();
  }

  @Test
  void whatAFailedRunLeftIsFree() throws IOException {
    Files.createDirectories(output().resolve("adapter"));
    Files.writeString(
        output().resolve("run.json"), "{\"command\": \"run\", \"state\": \"failed\"}");
    // gets as far as the data, which is checked later
    assertThat(refusal("--set", "data.source=" + folder.resolve("none.json")))
        .contains("none.json");
  }

  @Test
  void checkpointsThatAreNotGoneOnFromAreNeverReplacedUnasked() throws IOException {
    leaveCheckpoints();
    String[] anew = {"checkpoint.resume=never"};
    assertThat(refusal(sets(anew)))
        .isEqualTo(
            "output.path %s holds checkpoints of an interrupted run: set checkpoint.resume=auto to go on from them, or add --overwrite to start anew."
                .formatted(output()));
    // these get as far as the data, which is checked later
    String none = "data.source=" + folder.resolve("none.json");
    assertThat(refusal("--overwrite", "--set", anew[0], "--set", none)).contains("none.json");
    Files.writeString(output().resolve("checkpoints/index.json"), "{\"steps\": []}");
    assertThat(refusal(sets(anew, none))).contains("none.json");
  }

  @Test
  void checkpointsWithoutTheirIndexAreNotReplacedUnasked() throws IOException {
    Files.createDirectories(output());
    Files.writeString(
        output().resolve("run.json"),
        "{\"command\": \"run\", \"state\": \"running\", \"checkpoints\": {\"last_complete_step\": 1200}}");
    assertThat(refusal())
        .isEqualTo(
            "output.path %s: run.json tells of a checkpoint after step 1,200, but checkpoints/index.json is gone: put it back, or start anew with --overwrite."
                .formatted(output()));
  }

  @Test
  void checkpointsWithoutTheirManifestsAreNotReplacedUnasked() throws IOException {
    leaveCheckpoints();
    writeDataset("\"spec\": {}");
    for (String steps : List.of("[10]", "[999]")) {
      Files.writeString(
          output().resolve("checkpoints/index.json"), "{\"steps\": %s}".formatted(steps));
      Files.writeString(
          output().resolve("run.json"),
          "{\"command\": \"train\", \"state\": \"failed\", \"checkpoints\": {\"last_complete_step\": 10}}");
      assertThat(execute("train", "--config", CONF + "/tiny.yaml", "--set", outputSet()).sentence())
          .isEqualTo(
              "output.path %s holds checkpoints, and none of them can be used (run.json tells of one after step 10, but no step in checkpoints/index.json has its manifest.json): put their files back, choose another output.path, or start anew with --overwrite."
                  .formatted(output()));
    }
  }

  @Test
  void checkpointsOfARunOnAnotherDataSetAreRefused() throws IOException {
    leaveCheckpoints();
    writeDataset("\"spec\": {\"source\": \"file:/elsewhere.json\"}");
    assertThat(refusal())
        .startsWith(
            "output.path %s holds checkpoints of a run on another data set, so choose another output.path, or start anew with --overwrite: "
                .formatted(output()))
        .contains("source is ", "tiny/instructions.json", "and was \"file:/elsewhere.json\"");
  }

  /** What a run that did not get to its end leaves beside its data set. */
  private void leaveCheckpoints() throws IOException {
    Files.createDirectories(output().resolve("checkpoints"));
    Files.writeString(output().resolve("checkpoints/index.json"), "{\"steps\": [10]}");
    Files.writeString(
        output().resolve("run.json"), "{\"command\": \"run\", \"state\": \"failed\"}");
  }

  @Test
  void anOutputPathThatCannotBeWrittenNamesTheKey() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertThat(refusal("--set", "output.path=" + file.resolve("out")))
        .contains("output.path " + file.resolve("out"));
  }

  @Test
  void moreRanksThanSlotsNameBoth() {
    assertThat(refusal("--set", "cluster.nodes=3"))
        .contains("3 barrier tasks", "local-cluster[2,1,1024]", "cluster.nodes=2");
  }

  @Test
  void dynamicAllocationNamesTheOption() {
    System.setProperty("spark.dynamicAllocation.enabled", "true");
    assertThat(refusal()).contains("--conf spark.dynamicAllocation.enabled=false");
  }

  @Test
  void aStandaloneClusterNeedsToKnowItsExecutors() {
    System.setProperty("spark.master", "spark://host:7077");
    assertThat(refusal())
        .contains("spark://host:7077", "--conf spark.executor.cores=<cores of a node>");
    System.setProperty("spark.executor.cores", "4");
    assertThat(refusal("--set", "data.source=none.json")).contains("none.json");
  }

  @Test
  void gpusNeedTheirLibraries() {
    assumeThat(Gpus.build()).isEqualTo(Gpus.Build.CPU);
    assertThat(refusal("--set", "cluster.gpus_per_node=8"))
        .isEqualTo(
            "cluster.gpus_per_node is 8, but only the libraries for CPUs are here: add --gpu to ./submit.sh to use those for GPUs, or set cluster.gpus_per_node=0.");
  }

  @Test
  void aRunThatIsLargerThanItsContainerIsRefused() throws IOException {
    write("root/proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 8388608 kB\n");
    write("root/proc/self/cgroup", "0::/pod\n");
    write("root/sys/fs/cgroup/pod/memory.max", "1000000\n");
    System.setProperty("anneal.host.root", folder.resolve("root").toString());
    assertThat(refusal())
        .matches(
            "The run needs at least \\d+\\.\\d MB of a host's memory for its 2 ranks \\(.*frozen layers .*\\), and 1\\.0 MB are free: .*\\.");
    write("root/sys/fs/cgroup/pod/memory.max", "1000000000\n");
    assertThat(refusal("--set", "data.source=none.json")).contains("none.json");
  }

  private void write(String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  @Test
  void whatMemoryOfGpusDecidesNeedsThem() {
    assertThat(refusal("--set", "base_weights.offload_ratio=auto"))
        .isEqualTo(
            "base_weights.offload_ratio is auto, which looks at the memory of GPUs, but cluster.gpus_per_node is 0: set it to 0.");
    assertThat(refusal("--set", "activations.checkpoint=auto"))
        .contains("activations.checkpoint is auto", "set it to layer or none");
    assertThat(refusal("--set", "base_weights.offload_ratio=most"))
        .contains("must be a number from 0 to 1, or auto");
    for (String bad : new String[] {"most", "-1", "1.5", "none"}) {
      assertThat(refusal("--set", "activations.host_layers=" + bad))
          .startsWith("activations.host_layers in --set activations.host_layers=" + bad + " is ")
          .endsWith(", but must be a whole number of at least 0, or auto.");
    }
  }

  @Test
  void sparkMustAssignAsManyGpusAsATaskTakes() {
    System.setProperty("spark.executor.resource.gpu.amount", "2");
    assertThat(refusal("--set", "cluster.gpus_per_node=4"))
        .isEqualTo(
            "cluster.gpus_per_node is 4, but spark.executor.resource.gpu.amount is 2: set both to the GPUs of an executor.");
  }

  @Test
  void whatNeedsAGpuNamesTheKey() {
    assertThat(refusal("--set", "compute.matmul=fp8"))
        .contains("compute.matmul is fp8", "cluster.gpus_per_node is 0", "set compute.matmul=fp32");
    assertThat(refusal("--set", "base_weights.offload_ratio=0.5")).contains("offload_ratio is 0.5");
    assertThat(refusal("--set", "activations.offload=true")).contains("activations.offload");
    assertThat(refusal("--set", "activations.host_layers=1"))
        .isEqualTo(
            "activations.host_layers is 1, which needs GPUs that train adapters in compute.dtype=bf16 without dropout or DoRA, but with cluster.gpus_per_node=0 all activations are in host memory: set it to 0.");
    // FP8 weights are computed in the compute dtype
    assertThat(refusal("--set", "base_weights.dtype=fp8", "--set", "data.source=none.json"))
        .contains("none.json");
  }

  @Test
  void whatDoesNotGoTogetherNamesBoth() {
    assertThat(refusal("--set", "compute.matmul=bf16")).contains("set compute.matmul=fp32");
    String[] fp8 = {"cluster.gpus_per_node=1", "compute.dtype=bf16", "compute.matmul=fp8"};
    assertThat(refusal(sets(fp8, "base_weights.dtype=bf16")))
        .contains("base_weights.dtype is bf16");
    assertThat(refusal(sets(fp8, "base_weights.dtype=fp8", "lora.dropout=0.1")))
        .contains("but lora.dropout is 0.1", "set compute.matmul=bf16");
    assertThat(refusal(sets(fp8, "base_weights.dtype=fp8", "training.mode=full")))
        .contains("but training.mode is full");
    assertThat(refusal("--set", "training.mode=full", "--set", "base_weights.dtype=fp8"))
        .isEqualTo(
            "base_weights.dtype is fp8, but with training.mode=full it is what the trained model is written in: set base_weights.dtype=bf16 or fp32.");
    assertThat(
            refusal(
                sets(
                    new String[] {"cluster.gpus_per_node=1"},
                    "activations.offload=true",
                    "activations.checkpoint=none")))
        .contains("set activations.checkpoint=layer");
    assertThat(
            refusal(
                sets(
                    fp8,
                    "base_weights.dtype=fp8",
                    "base_weights.both_layouts=true",
                    "base_weights.offload_ratio=0.5")))
        .contains("both_layouts is true", "offload_ratio is 0.5", "set it to false");
    assertThat(
            refusal(
                sets(
                    fp8,
                    "base_weights.dtype=fp8",
                    "base_weights.both_layouts=true",
                    "base_weights.shard=world")))
        .contains("both_layouts is true", "split over GPUs");
    String[] edged =
        Stream.concat(
                Arrays.stream(fp8),
                Stream.of("base_weights.dtype=fp8", "base_weights.exact_edges=1"))
            .toArray(String[]::new);
    assertThat(refusal(sets(edged, "base_weights.shard=world")))
        .contains("exact_edges is 1", "split over GPUs", "set it to 0");
    assertThat(refusal(sets(edged, "base_weights.offload_ratio=auto")))
        .contains("exact_edges is 1", "offload_ratio is auto");
    assertThat(refusal("--set", "base_weights.exact_edges=1"))
        .contains("exact_edges is 1", "base_weights.dtype is fp32");
    assertThat(refusal("--set", "base_weights.both_layouts=true"))
        .contains("both_layouts is true", "compute.matmul is fp32");
    assertThat(refusal("--set", "compute.head=fp8")).contains("compute.head is not exact");
    assertThat(
            refusal(
                sets(
                    fp8,
                    "base_weights.dtype=fp8",
                    "compute.head=fp8_backward",
                    "base_weights.shard=world")))
        .contains("compute.head is not exact", "split over GPUs");
  }

  private static String[] sets(String[] first, String... more) {
    return Stream.concat(Arrays.stream(first), Arrays.stream(more))
        .flatMap(set -> Stream.of("--set", set))
        .toArray(String[]::new);
  }

  @Test
  void shardsThatWouldAllStayInMemoryAreRefused() {
    assertThat(refusal("--set", "base_weights.shard=world", "--set", "activations.checkpoint=none"))
        .contains("base_weights.shard is world", "set activations.checkpoint=layer");
    assertThat(refusal("--set", "base_weights.shard=world", "--set", "activations.checkpoint=1"))
        .contains("base_weights.shard is world, but with activations.checkpoint=1 every rank");
    assertThat(refusal("--set", "activations.checkpoint=some"))
        .contains("one of layer, none, auto, or a whole number of at least 1");
    assertThat(refusal("--set", "activations.checkpoint=0"))
        .contains("one of layer, none, auto, or a whole number of at least 1");
  }

  @Test
  void samplesOfRowsWithoutAPromptAreRefused() {
    assertThat(refusal("--set", "data.format=text"))
        .contains("evaluation.sample_rows is 4", "data.format=text", "sample_rows=0");
    assertThat(refusal("--set", "data.train_on_prompt=true"))
        .contains("evaluation.sample_rows is 4", "data.train_on_prompt=true");
  }

  @Test
  void evaluationsThatDecideNeedRowsAndSteps() {
    assertThat(refusal("--set", "evaluation.keep=best"))
        .contains("evaluation.keep is best", "set evaluation.every_steps");
    assertThat(refusal("--set", "evaluation.patience=3"))
        .contains("evaluation.patience is 3", "set evaluation.every_steps");
    assertThat(
            refusal(
                sets(
                    new String[] {"evaluation.keep=best"},
                    "evaluation.every_steps=5",
                    "checkpoint.every_steps=0")))
        .contains("evaluation.keep is best", "set checkpoint.every_steps");
    String[] nothingHeldOut = {
      "data.eval_rows=0", "evaluation.every_steps=5", "checkpoint.every_steps=5"
    };
    assertThat(refusal(sets(nothingHeldOut)))
        .contains("evaluation.every_steps is 5, but there are no rows", "data.eval_source");
    assertThat(refusal(sets(nothingHeldOut, "evaluation.keep=best")))
        .contains("evaluation.keep is best, but there are no rows");
    assertThat(refusal(sets(nothingHeldOut, "evaluation.patience=3")))
        .contains("evaluation.patience is 3, but there are no rows");
    assertThat(refusal("--set", "evaluation.keep=worst")).contains("must be one of last, best");
  }

  @Test
  void whatAScheduleDoesNotLookAtIsRefused() {
    assertThat(refusal("--set", "schedule.min_lr_ratio=0.1"))
        .contains("schedule.min_lr_ratio is set, but schedule.type linear does not look at it");
    assertThat(refusal("--set", "schedule.cycles=2")).contains("schedule.cycles is set");
    assertThat(refusal("--set", "schedule.decay_steps=2")).contains("schedule.decay_steps is set");
    assertThat(
            refusal(
                sets(
                    new String[] {"schedule.type=warmup_stable_decay"},
                    "schedule.warmup_steps=50",
                    "schedule.decay_steps=31")))
        .contains("The run has 80 steps", "warms up over 50 and goes down over 31");
  }

  @Test
  void rowsToEvaluateOnAreCheckedLikeTheOthers() throws IOException {
    String data = "data.eval_source=" + data(GOOD_ROW);
    assertThat(refusal("--set", data))
        .contains("data.eval_rows", "data.eval_source", "set one of them");
    assertThat(refusal("--set", "data.eval_format=chat"))
        .contains("describe data.eval_source, which is not set");
    assertThat(refusal(sets(new String[] {"data.eval_rows=0", data}, "data.eval_format=chat")))
        .contains("of data.eval_source '", "data.format 'chat'")
        .doesNotContain("data.source");
    String none = "data.eval_source=" + folder.resolve("none.jsonl");
    assertThat(refusal(sets(new String[] {"data.eval_rows=0"}, none)))
        .contains("data.eval_source '", "matches no file");
    String inside = "data.eval_source=" + output().resolve("eval-dataset/rows.jsonl");
    assertThat(refusal(sets(new String[] {"data.eval_rows=0"}, inside)))
        .contains("data.eval_source", "would be removed");
  }

  @Test
  void aLoraTargetThatMatchesNothingNamesTheModules() {
    assertThat(refusal("--set", "lora.target_modules=[q_proj,query]")).contains("query", "q_proj");
  }

  @Test
  void anAdapterToStartFromThatIsNotThereIsNamed() {
    assertThat(refusal("--set", "lora.init_from=" + folder.resolve("none")))
        .contains(folder.resolve("none").toString());
  }

  @Test
  void sequencesLongerThanTheModelTakesNameTheKey() {
    assertThat(refusal("--set", "data.max_length=513")).contains("set data.max_length=512");
  }

  @Test
  void lessDataThanOneStepTakesIsRefused() throws IOException {
    Path data = data(GOOD_ROW.repeat(5));
    assertThat(refusal("--set", "data.source=" + data, "--set", "data.eval_rows=0"))
        .contains("at most 5 sequences", "takes 8", "training.micro_batch_size");
  }

  @Test
  void aPreparedDataSetIsNotPreparedAgainUnasked() throws IOException {
    Files.createDirectories(output().resolve("dataset"));
    Files.writeString(output().resolve("dataset/dataset.json"), "{}");
    Files.writeString(
        output().resolve("run.json"), "{\"command\": \"prep\", \"state\": \"succeeded\"}");
    assertThat(refusal()).contains("a prepared data set", "--overwrite");
  }

  @Test
  void trainingWithoutADataSetIsRefused() {
    Executed executed = execute("train", "--config", CONF + "/tiny.yaml", "--set", outputSet());
    assertThat(executed.code()).isEqualTo(2);
    assertThat(executed.sentence()).contains(output() + "/dataset", "prepare it first");
  }

  @Test
  void aDataSetOfAnotherTokenizerOrTemplateIsNotTrainedOn() throws IOException {
    Path model = CONF.resolve("tiny/model");
    try (ChatTokenizer tokenizer =
        ChatTokenizer.load(model.toString(), new Storage(new Configuration()))) {
      String template = tokenizer.templateSha256().orElseThrow();
      assertThat(trainingRefusal("another", template))
          .contains("prepared with another tokenizer than that of " + model, "run prep again");
      assertThat(trainingRefusal(tokenizer.tokenizerSha256(), "another"))
          .contains("prepared with another chat template than that of " + model, "run prep again");
      Path own = Files.writeString(folder.resolve("own.jinja"), "{{ messages[0].content }}");
      assertThat(
              trainingRefusal(
                  tokenizer.tokenizerSha256(), template, "--set", "data.template=" + own))
          .contains("prepared with another chat template than that of " + own);
    }
  }

  private String trainingRefusal(String tokenizer, String template, String... options)
      throws IOException {
    writeDataset(
        "\"spec\": {}, \"tokenizer_sha256\": \"%s\", \"template_sha256\": \"%s\""
            .formatted(tokenizer, template));
    List<String> args =
        new ArrayList<>(List.of("train", "--config", CONF + "/tiny.yaml", "--set", outputSet()));
    args.addAll(List.of(options));
    return execute(args.toArray(String[]::new)).sentence();
  }

  /** The manifest of a data set, with {@code keys} of its own. */
  private void writeDataset(String keys) throws IOException {
    Files.createDirectories(output().resolve("dataset"));
    Files.writeString(
        output().resolve("dataset/dataset.json"),
        """
        {"schema_version": 1, "rows": {}, %s,
         "train": {"sequences": 100, "largest_token_id": 5,
                   "files": [{"name": "part-00000.arrow", "sequences": 100, "bytes": 1}]},
         "eval": {"sequences": 0, "largest_token_id": -1, "files": []}}
        """
            .formatted(keys));
  }

  private String refusal(String... options) {
    List<String> args =
        new ArrayList<>(List.of("run", "--config", CONF + "/tiny.yaml", "--set", outputSet()));
    args.addAll(List.of(options));
    return execute(args.toArray(String[]::new)).sentence();
  }

  private record Executed(int code, String out, String err) {
    /** The one sentence on standard error. */
    String sentence() {
      assertThat(code).as(err).isEqualTo(2);
      assertThat(out).isEmpty();
      assertThat(err.lines()).singleElement().asString().startsWith("anneal: ").matches(".*[.?]$");
      return err.strip().substring("anneal: ".length());
    }
  }

  private static Executed execute(String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        Anneal.execute(args, new PrintStream(out, true, UTF_8), new PrintStream(err, true, UTF_8));
    assertThat(SparkEnv.get()).as("Spark has started").isNull();
    return new Executed(code, out.toString(UTF_8), err.toString(UTF_8));
  }

  private Path output() {
    return folder.resolve("out");
  }

  private String outputSet() {
    return "output.path=" + output();
  }

  private Path data(String rows) throws IOException {
    return Files.writeString(folder.resolve("rows.jsonl"), rows);
  }

  private Path copyOfModel(String name) throws IOException {
    Path copy = Files.createDirectory(folder.resolve("model-" + name));
    try (Stream<Path> files = Files.list(MODEL)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    return copy;
  }
}
