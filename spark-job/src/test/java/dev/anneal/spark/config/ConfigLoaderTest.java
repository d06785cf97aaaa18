package dev.anneal.spark.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.anneal.spark.BadRequestException;
import dev.anneal.training.lora.ModuleNames;
import dev.anneal.training.optim.LearningRateSchedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigLoaderTest {
  @TempDir Path folder;

  @Test
  void readsAFileAndLaysTheSetsOverIt() throws IOException {
    write(
        """
        lora: {r: 8, target_modules: [q_proj]}
        training:
          max_steps: 10
        """);
    AnnealConfig config = load("lora.r=16", "lora.target_modules=[q_proj,v_proj]", "lora.r=32");
    assertThat(config.lora().r()).isEqualTo(32);
    assertThat(config.lora().modules().names())
        .isEqualTo(ModuleNames.listed(List.of("q_proj", "v_proj")));
    assertThat(config.training().maxSteps()).isEqualTo(10);
    assertThat(config.lora().alpha()).isEqualTo(64);
  }

  @Test
  void takesTheValueOfASetAsYaml() throws IOException {
    write("");
    AnnealConfig config =
        load(
            "optimizer.learning_rate=1e-3",
            "data.packing=false",
            "data.limit=null",
            "data.columns={output: answer}",
            "training.epochs=2",
            "schedule.type=cosine",
            "model.path=random:llama3.1-8b",
            "lora={r: 4, alpha: 8}");
    assertThat(config.optimizer().learningRate()).isEqualTo(1e-3);
    assertThat(config.data().sequences().packing()).isFalse();
    assertThat(config.data().rows().limit()).isNull();
    assertThat(config.data().rows().columns()).containsExactly(Map.entry("output", "answer"));
    assertThat(config.training().epochs()).isEqualTo(2.0);
    assertThat(config.schedule().type()).isEqualTo(LearningRateSchedule.Type.COSINE);
    assertThat(config.model().path()).isEqualTo("random:llama3.1-8b");
    assertThat(config.lora().alpha()).isEqualTo(8);
  }

  @ParameterizedTest
  @CsvSource({
    "data/x.json, file:/home/data/x.json",
    "../x/*.json, file:/x/*.json",
    "/abs/x.json, file:/abs/x.json",
    "s3a://bucket/x, s3a://bucket/x",
    "file:/abs/x, file:/abs/x",
    "random:llama3.1-70b, random:llama3.1-70b",
    "random:shapes/small.json, random:file:/home/shapes/small.json",
    "local:///opt/x, file:/opt/x",
    "random:small.json, random:file:/home/small.json",
    "random:s3a://b/config.json, random:s3a://b/config.json"
  })
  void takesPathsAsRelativeToTheWorkingFolder(String given, String resolved) {
    assertThat(Locations.resolve(given, Path.of("/home"))).isEqualTo(resolved);
  }

  @Test
  void putsTheFolderOfTheFileInThePlaceOfConf() throws IOException {
    write("model: {path: '${conf}/tiny/model'}");
    assertThat(load().model().path()).isEqualTo("file:" + folder + "/tiny/model");
  }

  @ParameterizedTest
  @CsvSource({
    "lora.rank, lora.r",
    "lora.target_module, lora.target_modules",
    "trainig, training",
    "learning_rate, optimizer.learning_rate",
    "training.learning_rate, optimizer.learning_rate",
    "optimiser, optimizer",
    "data.eval_row, data.eval_rows"
  })
  void namesTheNearestKeyForAnUnknownOne(String unknown, String nearest) throws IOException {
    write("");
    assertThatThrownBy(() -> load(unknown + "=1"))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith("There is no key " + unknown + ",")
        .hasMessageContaining("--set " + unknown + "=1")
        .hasMessageEndingWith("did you mean " + nearest + "?");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "lora.r=abc | lora.r in --set lora.r=abc is 'abc', but must be a whole number of at least 1.",
        "lora.r=0 | is 0, but must be a whole number of at least 1.",
        "lora.r=1.5 | is 1.5, but must be a whole number of at least 1.",
        "lora.r=null | is null, but must be a whole number of at least 1.",
        "training.loss=tokens | is 'tokens', but must be one of token, row.",
        "training.label_smoothing=1 | is 1, but must be a number from 0 to less than 1.",
        "training.neftune_noise_alpha=-5 | is -5, but must be a number of at least 0.",
        "lora.dropout=1 | is 1, but must be a number from 0 to less than 1.",
        "lora.target_modules={a: 1} | is {\"a\":1}, but must be a list of module names, or a regular expression.",
        "lora.target_modules=[] | is [], but must be a list of module names, or a regular expression.",
        "lora.rank_pattern={q_proj: 0} | is {\"q_proj\":0}, but must be END OF NAME: RANK pairs.",
        "lora.alpha_pattern={q_proj: 0} | is {\"q_proj\":0}, but must be END OF NAME: ALPHA pairs.",
        "lora=5 | lora in --set lora=5 is 5, but must be a section with the keys r, alpha, dropout, use_rslora, use_dora, target_modules, rank_pattern, alpha_pattern, loraplus_lr_ratio, init, init_from.",
        "lora.init=olora | is 'olora', but must be default, or pissa or pissa_niter_N.",
        "lora.init=pissa_niter_0 | is 'pissa_niter_0', but must be default, or pissa or pissa_niter_N.",
        "output.merged=maybe | is 'maybe', but must be true or false, or auto.",
        "data.max_length=1 | is 1, but must be a whole number of at least 2.",
        "data.packing=maybe | is 'maybe', but must be true or false.",
        "data.format=csv | is 'csv', but must be one of alpaca, chat, prompt-completion, self-instruct, chip2, hh-rlhf, guanaco, text, tokenized.",
        "data.columns=[output] | is [\"output\"], but must be FIELD: COLUMN pairs.",
        "data.columns={output: [a]} | is {\"output\":[\"a\"]}, but must be FIELD: COLUMN pairs.",
        "data.limit=0 | is 0, but must be a whole number of at least 1 or null.",
        "optimizer.betas=[0.9] | is [0.9], but must be two numbers from 0 to less than 1.",
        "optimizer.betas=[0.9, 1.0] | is [0.9,1.0], but must be two numbers from 0 to less than 1.",
        "optimizer.learning_rate=-1 | is -1, but must be a number greater than 0.",
        "training.max_grad_norm=1e999 | is \"Infinity\", but must be a number of at least 0.",
        "base_weights.dtype=int8 | is 'int8', but must be one of fp8, bf16, fp32.",
        "model.path=[a] | is [\"a\"], but must be a text or null.",
      })
  void refusesAValueThatDoesNotFit(String set, String message) throws IOException {
    write("");
    assertThatThrownBy(() -> load(set))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("--set " + set.strip())
        .hasMessageEndingWith(message);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "webhooks.on_failure=ftp://h.example/hunter2",
        "webhooks.on_failure=[https://h.example/hunter2]",
        "webhooks.on_failure=https:///hunter2",
        "webhooks.on_failre=https://h.example/hunter2",
        "webhook.on_failure=https://h.example/hunter2",
        "webhooks=https://h.example/hunter2",
        "webhooks={on_failure: 'hunter2'}"
      })
  void showsNothingOfAWebhookThatDoesNotFit(String set) throws IOException {
    write("");
    assertThatThrownBy(() -> load(set))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("webhook")
        .hasMessageNotContaining("hunter2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"lora.(=1", "lora.r=(", "(", "lora.r: (=1", "lora=[(", "lora=(: ("})
  void saysOneShortLineOfALongSet(String set) throws IOException {
    write("");
    assertTimeoutPreemptively(
        Duration.ofSeconds(10),
        () ->
            assertThatThrownBy(() -> load(set.replace("(", "(\n".repeat(100_000))))
                .isInstanceOf(BadRequestException.class)
                .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1))
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(1000)));
  }

  @Test
  void namesTheFileOfAnUnfitValue() throws IOException {
    write("lora:\n  r: abc\n");
    assertThatThrownBy(this::load)
        .hasMessage(
            "lora.r in %s is 'abc', but must be a whole number of at least 1.".formatted(file()));
  }

  @Test
  void namesTheLineOfBrokenYaml() throws IOException {
    write("lora:\n  r: 8\n  r: 9\n");
    assertThatThrownBy(this::load)
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith(file() + " line 3 is not valid YAML");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/out/10:30", "run:1", "hdfs://name:8020/out/10:30"})
  void refusesAnOutputThatHadoopCannotMake(String output) throws IOException {
    write("");
    assertThatThrownBy(() -> load("output.path=" + output))
        .hasMessageStartingWith("output.path '")
        .hasMessageContaining(output + "' has a colon in a name");
    assertThat(load("output.path=hdfs://name:8020/out").output().path())
        .isEqualTo("hdfs://name:8020/out");
    assertThat(load("output.path=s3a://runs/10:30").output().path()).isEqualTo("s3a://runs/10:30");
  }

  @Test
  void refusesAValueThatYamlCuts() throws IOException {
    Path rows = Files.createFile(folder.resolve("rows #2.json"));
    write("data:\n  source: %s\n".formatted(rows));
    assertThatThrownBy(this::load)
        .hasMessage(
            "%s line 2: source is '"
                + folder
                + "/rows', since what stands behind a '#' is a comment in YAML: put quotes around the whole value, or a space behind the '#'.",
            file());
    write("data:\n  source: /rows.json #of today\n");
    ConfigLoader loader = new ConfigLoader(ConfigContext.ofProcess()).file(file().toString());
    assertThat(loader.load().data().rows().source()).isEqualTo("file:/rows.json");
    assertThat(loader.notes())
        .singleElement()
        .asString()
        .contains("line 2: source is '/rows.json'", "put quotes around the whole value");
    write("data:\n  source: /rows.json # of today\n  format: alpaca #or chat\n");
    assertThat(load().data().rows().source()).isEqualTo("file:/rows.json");
    assertThatThrownBy(() -> load("data.source=/rows # 2.json")).hasMessageContaining("'/rows'");
    assertThat(load("data.source='/rows # 2.json'").data().rows().source())
        .isEqualTo("file:/rows # 2.json");
  }

  @Test
  void refusesASetWithoutAValueAndAFileThatIsNotThere() throws IOException {
    write("");
    assertThatThrownBy(() -> load("lora.r"))
        .hasMessageStartingWith("--set lora.r has no value: write --set KEY=VALUE");
    assertThatThrownBy(() -> ConfigLoader.load(Path.of("no.yaml"), List.of(), folder))
        .hasMessage("The configuration no.yaml cannot be read: check --config.");
  }

  @Test
  void takesTheValuesOfAProgram() {
    ConfigLoader loader = new ConfigLoader(ConfigContext.ofProcess().in(folder));
    AnnealConfig config =
        loader
            .values(Map.of("lora", Map.of("r", 8, "alpha", 16.0), "data.packing", false))
            .values(Map.of("lora.target_modules", List.of("q_proj")))
            .load();
    assertThat(config.lora().r()).isEqualTo(8);
    assertThat(config.lora().alpha()).isEqualTo(16);
    assertThat(config.lora().modules().names()).isEqualTo(ModuleNames.listed(List.of("q_proj")));
    assertThat(config.data().sequences().packing()).isFalse();
    assertThatThrownBy(() -> loader.values(Map.of("lora.r", "abc")))
        .hasMessage("lora.r in the call is 'abc', but must be a whole number of at least 1.");
    assertThatThrownBy(() -> loader.values(Map.of("lora.rank", 8)))
        .hasMessage("There is no key lora.rank, which the call sets: did you mean lora.r?");
    assertThatThrownBy(() -> loader.values(Map.of("lora.r", new Object())))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith("The value of lora.r in the call is no text, number");
  }

  private Path file() {
    return folder.resolve("recipe.yaml");
  }

  private void write(String yaml) throws IOException {
    Files.writeString(file(), yaml);
  }

  private AnnealConfig load(String... sets) {
    return ConfigLoader.load(file(), List.of(sets), folder);
  }
}
