package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.fetch.HubServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands of {@code README.md}, run as they stand there. */
class ReadmeIT {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));
  private static final Pattern ROW = Pattern.compile("\\| `(\\./submit\\.sh (\\S+) [^`]*)` \\|.*");
  private static final Pattern VERB = Pattern.compile("  ([a-z]+) +\\S.*");
  private static final Duration PATIENCE = Duration.ofMinutes(6);

  /** What a verb leaves behind, below the folder that its command names. */
  private static final Map<String, String> LEAVES =
      Map.of(
          "run", "out/tiny/adapter/adapter_model.safetensors",
          "prep", "out/prepared/dataset/dataset.json",
          "train", "out/prepared/adapter/adapter_model.safetensors",
          "evaluate", "out/evaluation/evaluation.json",
          "merge", "out/tiny-merged/model.safetensors",
          "report", "out/report.html",
          "fetch", "out/smollm/model.safetensors");

  /** What a verb prints that leaves nothing behind. */
  private static final Map<String, String> PRINTS =
      Map.of(
          "doctor",
          "model.path",
          "generate",
          "\"text\"",
          "plan",
          "Largest training.micro_batch_size");

  @TempDir Path folder;

  private record Command(String verb, String line) {}

  /** A checkout as far as the commands go: the script finds the rest from its own place. */
  @BeforeEach
  void linkTheScriptAndCopyTheBundledModel() throws IOException {
    Files.createSymbolicLink(folder.resolve("submit.sh"), HOME.resolve("submit.sh"));
    Path conf = HOME.resolve("conf");
    try (Stream<Path> files = Files.walk(conf)) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve("conf").resolve(conf.relativize(file)));
      }
    }
  }

  @Test
  void theTableHasACommandForEachVerb() throws Exception {
    assertThat(commands().stream().map(Command::verb))
        .doesNotHaveDuplicates()
        .containsExactlyInAnyOrderElementsOf(verbs());
  }

  @Test
  void everyCommandOfTheTableDoesWhatItSays() throws Exception {
    Path model = HOME.resolve("conf/tiny/model");
    try (HubServer hub = new HubServer("HuggingFaceTB/SmolLM2-135M")) {
      hub.small("config.json", Files.readString(model.resolve("config.json")))
          .small("tokenizer.json", Files.readString(model.resolve("tokenizer.json")))
          .large("model.safetensors", Files.readAllBytes(model.resolve("model.safetensors")));
      for (Command command : commands()) {
        run(command, hub);
      }
    }
  }

  private void run(Command command, HubServer hub) throws Exception {
    ProcessBuilder place = place();
    place.environment().put("HF_ENDPOINT", hub.endpoint().toString());
    String leaves = LEAVES.get(command.verb());
    String prints = PRINTS.getOrDefault(command.verb(), "");
    assertThat(leaves != null || !prints.isEmpty()).as("known: %s", command).isTrue();
    place.command("bash", "-c");
    try (SubmittedJob job = SubmittedJob.startCommand(folder, place, List.of(command.line()))) {
      int code = job.await(PATIENCE);
      assertThat(code).as("%s%n%s%n%s", command.line(), job.out(), job.err()).isZero();
      assertThat(job.out()).as(command.line()).contains(prints);
    }
    if (leaves != null) {
      assertThat(folder.resolve(leaves)).as(command.line()).isNotEmptyFile();
    }
  }

  /** What {@code bench/journey/run} makes of the commands of the journey, without GPU and hub. */
  @Test
  void theJourneyRunsWithTheBundledModel() throws Exception {
    ProcessBuilder place = place();
    place.command(HOME.resolve("bench/journey/run").toString());
    Path model = HOME.resolve("conf/tiny/model");
    place.environment().put("MODEL", model.toString());
    place.environment().put("ROWS", HOME.resolve("conf/tiny/instructions.json").toString());
    place.environment().put("SETS", "data.max_length=256 training.max_steps=5");
    place.environment().put("GPUS", "0");
    place.environment().put("ONLY", "fetch prep train evaluate generate merge");
    try (SubmittedJob job =
        SubmittedJob.startCommand(folder, place, List.of(folder.resolve("journey").toString()))) {
      int code = job.await(PATIENCE);
      assertThat(code).as("%s%n%s", job.out(), job.err()).isZero();
      assertThat(job.out())
          .contains(
              "ok  prep",
              "ok  train",
              "ok  evaluate",
              "ok  generate",
              "ok  merge",
              "the journey: ok")
          .doesNotContain("FAILED");
    }
    assertThat(folder.resolve("journey/out/8b/adapter/adapter_model.safetensors")).isNotEmptyFile();
    assertThat(folder.resolve("journey/out/8b-merged/model.safetensors")).isNotEmptyFile();
  }

  /** None of the developer's settings for stores, the hub and Spark. */
  private static ProcessBuilder place() {
    ProcessBuilder place = new ProcessBuilder();
    place
        .environment()
        .keySet()
        .removeIf(name -> name.startsWith("AWS_") || name.startsWith("HF_"));
    place.environment().remove("SPARK_HOME");
    return place;
  }

  private static List<Command> commands() throws IOException {
    List<Command> commands = new ArrayList<>();
    for (String line : Files.readAllLines(HOME.resolve("README.md"))) {
      Matcher row = ROW.matcher(line);
      if (row.matches()) {
        commands.add(new Command(row.group(2), row.group(1)));
      }
    }
    return commands;
  }

  /** Those that the script's help lists. */
  private List<String> verbs() throws Exception {
    ProcessBuilder script = place().command(HOME.resolve("submit.sh").toString());
    try (SubmittedJob help = SubmittedJob.startCommand(folder, script, List.of("--help"))) {
      assertThat(help.await()).isZero();
      List<String> verbs =
          help.out()
              .lines()
              .map(VERB::matcher)
              .filter(Matcher::matches)
              .map(verb -> verb.group(1))
              .toList();
      assertThat(verbs).contains("run", "fetch");
      return verbs;
    }
  }
}
