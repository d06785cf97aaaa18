package dev.anneal.spark.cli;

import dev.anneal.data.InvalidDataException;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Redaction;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.training.InvalidModelException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
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
    subcommands = {RunCommand.class, PrepCommand.class, TrainCommand.class})
public final class CommandLineInterface implements Runnable {
  private static final int FAILURE = 1;
  private static final int BAD_REQUEST = 2;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  private CommandLineInterface() {}

  /** See {@link dev.anneal.spark.Anneal#execute}. */
  public static int execute(String[] args, PrintStream out, PrintStream err) {
    return new CommandLine(new CommandLineInterface())
        .setOut(new PrintWriter(out, true, StandardCharsets.UTF_8))
        .setErr(new PrintWriter(err, true, StandardCharsets.UTF_8))
        .setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF))
        .setParameterExceptionHandler(CommandLineInterface::refuse)
        .setExecutionExceptionHandler(CommandLineInterface::fail)
        .execute(args);
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "There is no command: choose run, prep or train");
  }

  private static int refuse(ParameterException e, String[] args) {
    String sentence = e.getMessage().lines().findFirst().orElse("").replaceFirst("[.?!]$", "");
    say(e.getCommandLine(), sentence + " (see ./submit.sh --help).");
    return BAD_REQUEST;
  }

  private static int fail(Exception e, CommandLine command, ParseResult parsed) {
    say(command, StoreRefusal.sentence(e).orElse(String.valueOf(e.getMessage())));
    if (command.getParseResult().hasMatchedOption("--debug")) {
      StringWriter trace = new StringWriter();
      e.printStackTrace(new PrintWriter(trace, true));
      command.getErr().print(Redaction.ofProcess().mask(trace.toString()));
      command.getErr().flush();
    }
    return isRefusal(e) ? BAD_REQUEST : FAILURE;
  }

  private static boolean isRefusal(Exception e) {
    return e instanceof BadRequestException
        || e instanceof InvalidDataException
        || e instanceof InvalidModelException;
  }

  private static void say(CommandLine command, String sentence) {
    command.getErr().println("anneal: " + Redaction.ofProcess().mask(sentence));
    command.getErr().flush();
  }

  /** What {@code --version} prints. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"anneal " + AnnealVersion.anneal()};
    }
  }
}
