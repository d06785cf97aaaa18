package dev.anneal.spark;

import dev.anneal.spark.cli.CommandLineInterface;
import dev.anneal.spark.cli.CommandLineInterface.End;
import java.io.PrintStream;
import java.util.Set;
import org.apache.spark.sql.SparkSession;

/** Where spark-submit enters, and programs that have a Spark session. */
public final class Anneal {
  /** What of Spark calls a main class in a process that is there for it alone. */
  private static final Set<String> LAUNCHERS =
      Set.of(
          "org.apache.spark.deploy.JavaMainApplication",
          "org.apache.spark.deploy.worker.DriverWrapper$");

  private Anneal() {}

  /**
   * Carries out one command; returns when it has succeeded. Otherwise it ends the process with exit
   * code 1 for a failure and 2 for a request that cannot be carried out as it is, if the process is
   * there for this command alone. Where it is somebody else's (YARN's application master, a
   * notebook, an application), it throws.
   *
   * @throws BadRequestException in somebody else's process, for a request as above
   * @throws JobFailedException in somebody else's process, for a failure
   */
  public static void main(String[] args) {
    End end = end(args, System.out, System.err);
    if (end.exitCode() == 0) {
      return;
    }
    if (!ownsProcess()) {
      throw end.failure();
    }
    System.exit(end.exitCode());
  }

  /** Anneal in a session that is there already. */
  public static AnnealSession on(SparkSession spark) {
    return new AnnealSession(spark);
  }

  /**
   * Carries out one command.
   *
   * @return 0 success, 1 failure, 2 a request that cannot be carried out as it is
   */
  public static int execute(String[] args, PrintStream out, PrintStream err) {
    return end(args, out, err).exitCode();
  }

  private static End end(String[] args, PrintStream out, PrintStream err) {
    try {
      return CommandLineInterface.execute(args, out, err);
    } catch (LinkageError | OutOfMemoryError e) {
      // what no caller on the way may handle: a library is missing, or memory
      RuntimeException failure = FailureSentence.failure(e, Redaction.ofProcess());
      err.println("anneal: " + failure.getMessage());
      return new End(1, failure);
    }
  }

  /** Whether it was Spark's launcher, or Java's, that called this class. */
  private static boolean ownsProcess() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames
                    .map(StackWalker.StackFrame::getClassName)
                    .dropWhile(Anneal.class.getName()::equals)
                    .findFirst()
                    .map(LAUNCHERS::contains)
                    .orElse(true));
  }
}
