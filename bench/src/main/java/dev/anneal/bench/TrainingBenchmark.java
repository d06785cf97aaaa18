package dev.anneal.bench;

import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.timing.StepTimings;
import dev.anneal.training.weights.Transport;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Trains a model of random weights for some steps and prints one JSON line of what it measured. */
@Command(name = "training-benchmark", mixinStandardHelpOptions = true)
final class TrainingBenchmark implements Callable<Integer> {
  @Mixin private TrainingOptions options;

  @Spec private CommandSpec command;

  public static void main(String[] arguments) {
    System.exit(new CommandLine(new TrainingBenchmark()).execute(arguments));
  }

  @Override
  public Integer call() throws Exception {
    if (options.predict) {
      TrainingResult.print(options.name, options.memory());
      return 0;
    }
    System.setProperty(Transport.WEIGHTS, options.transport.name());
    System.setProperty(Transport.PARAMETERS, options.parameterTransport.name());
    System.setProperty(StepTimings.PROPERTY, options.timings.name());
    if (options.oneGpu && !options.processes && options.gpus > 1) {
      throw new ParameterException(
          command.commandLine(), "--one-gpu is of ranks that are processes: add --processes");
    }
    NativeLibraries.load();
    LocalCheckpoints checkpoints = new LocalCheckpoints(options.checkpoints);
    MeasuredRanks ranks =
        new MeasuredRanks(
            options, checkpoints, command.commandLine().getParseResult().originalArgs());
    if (options.onlyRank != null) {
      ranks.runOnly(options.onlyRank);
      return 0;
    }
    HostMemoryPeak host = HostMemoryPeak.watch();
    new TrainingResult(options, checkpoints, host).print(ranks.run());
    return 0;
  }
}
