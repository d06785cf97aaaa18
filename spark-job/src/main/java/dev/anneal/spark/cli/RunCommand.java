package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
    name = "run",
    description = "Prepares the data, trains, and publishes the result.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class RunCommand implements Callable<Integer> {
  @Mixin private RequestOptions request;
  @Mixin private ProfileOption profile;
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    request.execute(Request.Command.RUN, 0, profile.values(), spec.commandLine().getOut());
    return 0;
  }
}
