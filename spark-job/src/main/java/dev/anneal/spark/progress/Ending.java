package dev.anneal.spark.progress;

import java.time.Duration;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Spark's reason for the end of an executor.
 *
 * @param text its first line
 * @param exitCode -1 where it tells none
 */
record Ending(String text, int exitCode) {
  private static final Pattern EXIT_CODE =
      Pattern.compile("(?i)exit(?:ed)?(?: with)?(?: exit)?(?: ?code| status):? ?(\\d+)");

  private static final String DISCONNECTED = "Remote RPC client disassociated";

  /** Spark's words for what it has heard nothing of for some time, or whose worker is gone. */
  private static final Pattern SILENCE =
      Pattern.compile(
          "(?i)heartbeat timed out|no recent heartbeats|not receiving heartbeat|worker lost|heartbeat failure");

  private static final Pattern SILENT_FOR =
      Pattern.compile("(?i)(?:timed out after|heartbeat for) (\\d+) ?(ms|seconds)");

  /** Of SIGHUP, SIGINT, SIGKILL and SIGTERM. */
  private static final Set<Integer> KILLED = Set.of(129, 130, 137, 143);

  static Ending of(String reason) {
    if (reason == null) {
      return new Ending("no reason is known", -1);
    }
    Matcher code = EXIT_CODE.matcher(reason);
    // Spark adds what it guesses
    String first =
        reason.startsWith(DISCONNECTED) ? DISCONNECTED : reason.lines().findFirst().orElse("");
    return new Ending(first.strip(), code.find() ? Integer.parseInt(code.group(1)) : -1);
  }

  boolean hasExitCode() {
    return exitCode >= 0;
  }

  /** Whether Spark has given it up since it heard nothing of it, and does not know of its end. */
  boolean isSilence() {
    return !hasExitCode() && SILENCE.matcher(text).find();
  }

  /**
   * For how long Spark had heard nothing of it.
   *
   * @param otherwise where it does not tell
   */
  Duration silence(Duration otherwise) {
    Matcher told = SILENT_FOR.matcher(text);
    if (!told.find()) {
      return otherwise;
    }
    long number = Long.parseLong(told.group(1));
    return told.group(2).equals("ms") ? Duration.ofMillis(number) : Duration.ofSeconds(number);
  }

  /** Whether its own ranks could not be made to leave. */
  boolean isHang() {
    return exitCode == ExecutorObituary.HUNG;
  }

  /** Whether something else has ended the process, so that its log tells nothing. */
  boolean isFromOutside() {
    return KILLED.contains(exitCode);
  }
}
