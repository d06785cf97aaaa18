package dev.anneal.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What can be done with the result of a run, as lines for a shell. */
final class NextCommands {
  private static final Pattern PLAIN = Pattern.compile("[\\w@%+=:,./-]+");

  /** What a model on GPUs is held and computed with, as far as it is not said anew. */
  private static final List<String> OF_GPUS =
      List.of(
          "cluster.nodes",
          "cluster.gpus_per_node",
          "base_weights.dtype",
          "base_weights.shard",
          "base_weights.offload_ratio",
          "base_weights.exact_edges",
          "compute.dtype",
          "compute.matmul");

  /**
   * A command, or why there is none.
   *
   * @param line {@code null} where only the text counts
   */
  record Next(String text, String line) {}

  private final RunView run;
  private final JsonNode config;

  private NextCommands(RunView run) {
    this.run = run;
    this.config = run.record().path("config");
  }

  /** Of a run that has succeeded in training; none of any other. */
  static List<Next> of(RunView run) {
    boolean trained =
        run.state().equals("succeeded") && !run.record().path("command").asText().equals("prep");
    return trained ? new NextCommands(run).all() : List.of();
  }

  private List<Next> all() {
    String path = config.at("/model/path").asText();
    if (config.at("/training/mode").asText().equals("full")) {
      return List.of(
          new Next("Ask it", submit("generate", "--model", child(RunFolder.MODEL), "--chat")));
    }
    if (path.isEmpty() || !(ModelLocation.of(path) instanceof ModelLocation.Folder base)) {
      return List.of(
          new Next("The base weights were random: set model.path to a model folder.", null));
    }
    String model = RunFolder.display(base.location());
    String adapter = child(RunFolder.ADAPTER);
    String folder = run.display();
    List<Next> all = new ArrayList<>();
    all.add(
        new Next("Ask it", submit("generate", "--model", model, "--adapter", adapter, "--chat")));
    all.add(
        new Next(
            "Measure it against its base model",
            submit(
                "evaluate",
                "--model",
                model,
                "--adapter",
                adapter,
                "--dataset",
                folder,
                "--output",
                folder + "-evaluation")));
    all.add(
        new Next(
            "Put it into its base model",
            line(
                Stream.of(
                    "./submit.sh",
                    "merge",
                    "--model",
                    model,
                    "--adapter",
                    adapter,
                    "--output",
                    folder + "-merged",
                    "--verify"))));
    all.add(vllm(base.location(), model, adapter));
    return all;
  }

  private Next vllm(String location, String model, String adapter) {
    JsonNode vllm = run.record().path("vllm");
    String merged = run.record().path("merged").asText();
    if (!merged.isEmpty()) {
      return isLocalRun()
          ? new Next("Serve it with vLLM", line(Stream.of("vllm", "serve", merged)))
          : new Next(
              "Serve it with vLLM, from a copy on a local disk",
              line(Stream.of("vllm", "serve", "MERGED")));
    }
    if (vllm.path("refuses").isTextual()) {
      return new Next(vllm.path("refuses").textValue() + ".", null);
    }
    if (!vllm.path("max_lora_rank").isInt()) {
      return new Next("vLLM: this run.json does not tell which --max-lora-rank it needs.", null);
    }
    boolean local = RunFolder.isLocal(location) && isLocalRun();
    String text = local ? "Serve it with vLLM" : "Serve it with vLLM, from copies on a local disk";
    return new Next(
        text,
        line(
            Stream.of(
                "vllm",
                "serve",
                local ? model : "MODEL",
                "--enable-lora",
                "--max-lora-rank",
                vllm.path("max_lora_rank").asText(),
                "--lora-modules",
                "tuned=" + (local ? adapter : "ADAPTER"))));
  }

  private boolean isLocalRun() {
    return RunFolder.isLocal(run.location()) || run.location().startsWith("/");
  }

  private String child(String name) {
    return run.display() + "/" + name;
  }

  private String submit(String verb, String... options) {
    Stream<String> gpus = Stream.empty();
    if (config.at("/cluster/gpus_per_node").asInt() > 0) {
      gpus = Stream.concat(Stream.of("--gpu"), OF_GPUS.stream().flatMap(this::setting));
    }
    return line(
        Stream.of(Stream.of("./submit.sh", verb), Stream.of(options), gpus)
            .flatMap(words -> words));
  }

  private Stream<String> setting(String key) {
    JsonNode value = config.at("/" + key.replace('.', '/'));
    return value.isValueNode() && !value.isNull()
        ? Stream.of("--set", key + "=" + value.asText())
        : Stream.empty();
  }

  private static String line(Stream<String> words) {
    return String.join(" ", words.map(NextCommands::quoted).toList());
  }

  private static String quoted(String word) {
    return PLAIN.matcher(word).matches() ? word : "'" + word.replace("'", "'\\''") + "'";
  }
}
