package dev.anneal.spark.cli;

import dev.anneal.spark.Request;
import picocli.CommandLine.Option;

/** How much is said of a failure; the handler of failures asks the parser for it. */
final class DebugOption {
  static final String NAME = "--debug";

  @Option(names = NAME, description = "Prints stack traces.")
  private boolean debug;

  /** What a session's sentences are to have. */
  Request.Detail detail() {
    return debug ? Request.Detail.STACK_TRACES : Request.Detail.SENTENCE;
  }
}
