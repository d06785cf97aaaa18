package dev.anneal.spark.cli;

import java.util.Map;
import picocli.CommandLine.Option;

/** The option of commands that train to take a profile. */
final class ProfileOption {

  @Option(
      names = "--profile",
      paramLabel = "N",
      description = "Writes a trace of N steps of all ranks to profile/; as profile.steps.")
  private Integer steps;

  /** What it says, by key. */
  Map<String, Integer> values() {
    return steps == null ? Map.of() : Map.of("profile.steps", steps);
  }
}
