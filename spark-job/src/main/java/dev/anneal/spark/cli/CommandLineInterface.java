package dev.anneal.spark.cli;

import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.FailureSentence;
import dev.anneal.spark.Redaction;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** Parses the command line and turns every outcome into an exit code and at most one sentence. */
@Command(
    name = "submit.sh",
    description = "Fine-tunes Llama with LoRA as a Spark job.",
    mixinStandardHelpOptions = true,
    versionProvider = CommandLineInterface.Version.class,
    subcommands = {
      RunCommand.class,
      PrepCommand.class,
      TrainCommand.class,
      FetchCommand.class,
      GenerateCommand.class,
      EvaluateCommand.class,
      MergeCommand.class,
      PlanCommand.class,
      ReportCommand.class,
      DoctorCommand.class
    })
public final class CommandLineInterface implements Runnable {
  private static final int FAILURE = 1;
  private static final int BAD_REQUEST = 2;

  private RuntimeException failure;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  private CommandLineInterface() {}

  /**
   * How a command has ended.
   *
   * @param exitCode 0 success, 1 failure, 2 a request that cannot be carried out as it is
   * @param failure what a caller that owns the process is to be told; {@code null} on success
   */
  public record End(int exitCode, RuntimeException failure) {}

  /**
   * Carries out one command.
   *
   * @param err gets at most one sentence, and stack traces where the command asks for them
   */
  public static End execute(String[] args, PrintStream out, PrintStream err) {
    CommandLineInterface commands = new CommandLineInterface();
    int exitCode = commands.execute(new CommandLine(commands), args, out, err);
    return new End(exitCode, commands.failure);
  }

  private int execute(CommandLine line, String[] args, PrintStream out, PrintStream err) {
    return line.setOut(new PrintWriter(out, true, StandardCharsets.UTF_8))
        .setErr(new PrintWriter(err, true, StandardCharsets.UTF_8))
        .setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF))
        .setParameterExceptionHandler(this::refuse)
        .setExecutionExceptionHandler(this::fail)
        .execute(args);
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "There is no command: choose run, prep, train, fetch, generate, evaluate, merge, plan, report or doctor");
  }

  private int refuse(ParameterException e, String[] args) {
    String sentence = e.getMessage().lines().findFirst().orElse("").replaceFirst("[.?!]$", "");
    sentence += " (see ./submit.sh --help).";
    say(e.getCommandLine(), sentence);
    failure = new BadRequestException(sentence, e);
    return BAD_REQUEST;
  }

  private int fail(Exception e, CommandLine command, ParseResult parsed) {
    failure = FailureSentence.failure(e, Redaction.ofProcess());
    say(command, failure.getMessage());
    if (command.getParseResult().hasMatchedOption(DebugOption.NAME)) {
      command.getErr().print(masked(FailureSentence.trace(e)));
      command.getErr().flush();
    }
    return failure instanceof BadRequestException ? BAD_REQUEST : FAILURE;
  }

  private static void say(CommandLine command, String sentence) {
    command.getErr().println("anneal: " + masked(sentence));
    command.getErr().flush();
  }

  private static String masked(String text) {
    return Redaction.ofProcess().mask(text);
  }

  /** What {@code --version} prints. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"anneal " + AnnealVersion.anneal()};
    }
  }
}
