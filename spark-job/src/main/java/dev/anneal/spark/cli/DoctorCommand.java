package dev.anneal.spark.cli;

import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.doctor.Diagnosis;
import dev.anneal.spark.doctor.Doctor;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "doctor",
    description = "Looks for what would stop a run, on the driver and on executors.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class)
final class DoctorCommand implements Callable<Integer> {
  @Mixin private ConfigOptions config;

  @Option(names = "--json", description = "Prints JSON in place of a table.")
  private boolean json;

  // the handler of failures asks the parser for it
  @SuppressWarnings("UnusedVariable")
  @Mixin
  private DebugOption debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public Integer call() {
    Diagnosis diagnosis = Doctor.examine(request());
    spec.commandLine().getOut().print(json ? diagnosis.json() + "\n" : diagnosis.text());
    spec.commandLine().getOut().flush();
    int stops = diagnosis.stops().size();
    if (stops > 0) {
      throw new JobFailedException(
          stops == 1
              ? "What is found above would stop a run."
              : "%s things that are found above would stop a run.".formatted(stops),
          null);
    }
    return 0;
  }

  private AnnealConfig request() {
    return config.areMissing() ? Doctor.anyRun() : config.load();
  }
}
