package dev.anneal.spark;

import dev.anneal.spark.cli.CommandLineInterface;
import java.io.PrintStream;

/** Where spark-submit enters. */
public final class Anneal {
  private Anneal() {}

  public static void main(String[] args) {
    System.exit(execute(args, System.out, System.err));
  }

  /**
   * Carries out one command.
   *
   * @return 0 success, 1 failure, 2 a request that cannot be carried out as it is
   */
  public static int execute(String[] args, PrintStream out, PrintStream err) {
    try {
      return CommandLineInterface.execute(args, out, err);
    } catch (LinkageError | OutOfMemoryError e) {
      // what no caller on the way may handle: a library is missing, or memory
      err.println("anneal: " + e);
      return 1;
    }
  }
}
