package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.ConfigLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** The options that every command takes. */
final class RequestOptions {

  @Option(names = "--config", paramLabel = "FILE", description = "The configuration, in YAML.")
  private Path config;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Overrides one key; the value is YAML; the last one wins.")
  private List<String> sets = new ArrayList<>();

  @Option(names = "--overwrite", description = "Replaces a finished run in output.path.")
  private boolean overwrite;

  @Option(names = "--debug", description = "Prints stack traces.")
  private boolean debug;

  Request request(Request.Command command) {
    return request(command, 0);
  }

  Request request(Request.Command command, int shownRows) {
    return new Request(
        command,
        ConfigLoader.load(config, sets, Path.of("").toAbsolutePath()),
        overwrite ? Request.Existing.REPLACE : Request.Existing.KEEP,
        debug ? Request.Detail.STACK_TRACES : Request.Detail.SENTENCE,
        shownRows);
  }
}
