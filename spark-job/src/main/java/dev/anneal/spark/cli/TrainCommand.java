package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(
    name = "train",
    description = "Trains on the data set that is in output path.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class TrainCommand implements Callable<Integer> {
  @Mixin private RequestOptions request;
  @Mixin private ProfileOption profile;
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    request.execute(Request.Command.TRAIN, 0, profile.values(), spec.commandLine().getOut());
    return 0;
  }
}
