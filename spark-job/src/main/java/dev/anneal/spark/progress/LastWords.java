package dev.anneal.spark.progress;

import dev.anneal.data.error.OneLine;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the log of a process that has ended tells of why it ended. */
final class LastWords {
  private static final String THROWABLE =
      "((?:[a-z]\\w*\\.)+[A-Z][\\w$]*(?:Exception|Error|Throwable|Failure)[\\w$]*(?:: .*)?)";

  /** An exception at the begin of a line, or behind what it interrupted. */
  private static final Pattern HEAD =
      Pattern.compile("(?:Exception in thread \"[^\"]*\" |\\S.*?: )?" + THROWABLE);

  private static final Pattern CAUSE = Pattern.compile("\\s*Caused by: (.+)");
  private static final Pattern FRAME = Pattern.compile("\\s+(?:at |\\.\\.\\. \\d+ ).*");
  private static final Pattern LOGGED_ERROR =
      Pattern.compile("[\\d/:.,\\-T ]+(?:ERROR|FATAL)\\S* (?:\\S+: )?(.*)");
  private static final Pattern LOGGED =
      Pattern.compile("[\\d/:.,\\-T ]+(?:TRACE|DEBUG|INFO|WARN)\\b.*");

  /** What a JVM prints that does not get as far as a log. */
  private static final Pattern JVM =
      Pattern.compile(
          "(?:# )?(Error occurred during initialization of (?:VM|boot layer).*|Error: .*|Unrecognized .*option.*|FATAL ERROR in native method.*|Terminating due to .*|.*symbol lookup error.*|.*error while loading shared libraries.*|(?:OpenJDK .*)?There is insufficient memory.*)");

  /** What the JVM's tools print as well, and whatever runs in it. */
  private static final String PERHAPS_OF_ANOTHER = "Error: ";

  /** A task's error, which Spark tells as such and which its process outlives. */
  private static final String OF_TASK = "Exception in task ";

  /** What Spark logs where it ends its own process. */
  private static final Pattern DYING =
      Pattern.compile("Executor self-exiting due to.*|Uncaught exception in thread .*");

  private static final String MAIN = "Exception in thread \"main\" ";

  /** The next line says why. */
  private static final String NO_JVM = "Error occurred during initialization of ";

  private static final Pattern CRASH = Pattern.compile("# +(SIG[A-Z]+ \\(0x\\w+\\)).*");
  private static final Pattern CRASH_PLACE = Pattern.compile("# (C|V|J|j) +(.+)");

  private LastWords() {}

  /**
   * The last error that no task has thrown, of an exception its root cause, in one line; empty
   * where there is none.
   *
   * @param log the end of what a process has printed that has ended by itself
   */
  static Optional<String> of(String log) {
    return last(log, line -> true, message -> !message.startsWith(OF_TASK));
  }

  /**
   * The same of a process that may have been killed, or may live: an error that it has outlived is
   * none of these.
   */
  static Optional<String> ofDying(String log) {
    return last(
        log,
        line -> !line.startsWith(PERHAPS_OF_ANOTHER),
        message -> message.startsWith(MAIN) || DYING.matcher(message).matches());
  }

  /**
   * The last error.
   *
   * @param jvm which lines of a JVM's own count
   * @param logged which messages count, with the lines that follow them
   */
  private static Optional<String> last(
      String log, Predicate<String> jvm, Predicate<String> logged) {
    List<String> lines = log.lines().toList();
    String error = null;
    boolean counts = logged.test("");
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i);
      counts = message(line).map(logged::test).orElse(counts);
      Optional<String> told = jvm.test(line) ? ofJvm(lines, i) : Optional.empty();
      if (told.isEmpty() && counts) {
        told = logged(lines, i);
      }
      error = told.orElse(error);
    }
    return Optional.ofNullable(error).map(OneLine::of).map(String::strip);
  }

  /** What a line begins that others may follow; empty where it follows another. */
  private static Optional<String> message(String line) {
    Matcher error = LOGGED_ERROR.matcher(line);
    if (error.matches()) {
      return Optional.of(error.group(1));
    }
    return line.startsWith(MAIN) || LOGGED.matcher(line).matches()
        ? Optional.of(line)
        : Optional.empty();
  }

  /** What a JVM itself says is wrong, together with the lines that follow. */
  private static Optional<String> ofJvm(List<String> lines, int i) {
    String line = lines.get(i);
    Matcher crash = CRASH.matcher(line);
    if (crash.matches()) {
      return Optional.of(crash.group(1) + crashPlace(lines.subList(i, lines.size())));
    }
    Matcher jvm = JVM.matcher(line);
    if (!jvm.matches()) {
      return Optional.empty();
    }
    boolean goesOn = line.startsWith(NO_JVM) && i + 1 < lines.size();
    return Optional.of(goesOn ? line + ": " + lines.get(i + 1) : jvm.group(1));
  }

  /** What a line says is wrong, together with those that follow it. */
  private static Optional<String> logged(List<String> lines, int i) {
    String line = lines.get(i);
    Matcher cause = CAUSE.matcher(line);
    if (cause.matches()) {
      return Optional.of(cause.group(1));
    }
    if (LOGGED.matcher(line).matches()) {
      return Optional.empty();
    }
    Matcher logged = LOGGED_ERROR.matcher(line);
    Matcher thrown = HEAD.matcher(line);
    if (thrown.matches() && (logged.matches() || isTrace(lines, i))) {
      return Optional.of(thrown.group(1));
    }
    return logged.matches() ? Optional.of(logged.group(1)) : Optional.empty();
  }

  private static boolean isTrace(List<String> lines, int i) {
    return i + 1 < lines.size()
        && (FRAME.matcher(lines.get(i + 1)).matches() || CAUSE.matcher(lines.get(i + 1)).matches());
  }

  private static String crashPlace(List<String> lines) {
    return lines.stream()
        .map(CRASH_PLACE::matcher)
        .filter(Matcher::matches)
        .map(place -> " in " + place.group(2).strip())
        .findFirst()
        .orElse("");
  }
}
