package dev.anneal.spark.cli;

import dev.anneal.spark.Redaction;
import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.report.RunReport;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "report",
    description = "Makes the page of a run, or of several over each other, from their files.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class ReportCommand implements Callable<Integer> {
  @Parameters(
      arity = "1..*",
      paramLabel = "RUN",
      description = "Output folders of runs, finished or under way: paths or any Hadoop URIs.")
  private List<String> runs;

  @Option(
      names = "--output",
      paramLabel = "FILE",
      description =
          "Where the page goes; if not given, report.html in the folder of a single run, else here.")
  private String output;

  // the handler of failures asks the parser for it
  @SuppressWarnings("UnusedVariable")
  @Mixin
  private DebugOption debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    String page =
        RunReport.write(
            runs, output, ConfigContext.ofProcess().hadoop().get(), Redaction.ofProcess()::mask);
    spec.commandLine().getOut().println("Page      " + page);
    return 0;
  }
}
