package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "prep",
    description = "Prepares the data only.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class PrepCommand implements Callable<Integer> {
  @Mixin private RequestOptions request;

  @Option(
      names = "--show",
      paramLabel = "N",
      description = "Prints the first N prepared rows with what is learned in brackets.")
  private int shownRows;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    if (shownRows < 0) {
      throw new CommandLine.ParameterException(
          spec.commandLine(), "--show is " + shownRows + ", but must not be negative");
    }
    request.execute(Request.Command.PREP, shownRows, spec.commandLine().getOut());
    return 0;
  }
}
