package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import dev.anneal.spark.job.Run;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.session.RunSession;
import java.io.PrintWriter;
import java.util.Map;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options that every command takes. */
final class RequestOptions {

  @Mixin private ConfigOptions config;

  @Option(names = "--overwrite", description = "Replaces a finished run in output.path.")
  private boolean overwrite;

  @Mixin private DebugOption debug;

  /** Carries the command out: in the session of whoever calls, or in one of its own. */
  void execute(Request.Command command, int shownRows, PrintWriter out) {
    execute(command, shownRows, Map.of(), out);
  }

  /**
   * The same.
   *
   * @param values of keys, which decide over the configuration
   */
  void execute(Request.Command command, int shownRows, Map<String, ?> values, PrintWriter out) {
    Request request = request(command, shownRows, values, out);
    try (RunSession session = RunSession.forRequest(request)) {
      Run.execute(request, session, out);
    }
  }

  private Request request(
      Request.Command command, int shownRows, Map<String, ?> values, PrintWriter out) {
    return new Request(
        command,
        config.load(values, note -> out.println("Note: " + note)),
        overwrite ? Request.Existing.REPLACE : Request.Existing.KEEP,
        debug.detail(),
        shownRows,
        ProgressDisplay.Medium.ofProcess());
  }
}
