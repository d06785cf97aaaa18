package dev.anneal.spark.progress;

import dev.anneal.data.error.OneLine;
import java.util.List;
import java.util.Optional;
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
          "(Error occurred during initialization of (?:VM|boot layer).*|Error: .*|Unrecognized .*option.*|FATAL ERROR in native method.*|Terminating due to .*|.*symbol lookup error.*|.*error while loading shared libraries.*|OpenJDK .*There is insufficient memory.*)");

  /** The next line says why. */
  private static final String NO_JVM = "Error occurred during initialization of ";

  private static final Pattern CRASH = Pattern.compile("# +(SIG[A-Z]+ \\(0x\\w+\\)).*");
  private static final Pattern CRASH_PLACE = Pattern.compile("# (C|V|J|j) +(.+)");

  private LastWords() {}

  /**
   * The last error, of an exception its root cause, in one line; empty where there is none.
   *
   * @param log the end of what the process has printed
   */
  static Optional<String> of(String log) {
    List<String> lines = log.lines().toList();
    String error = null;
    for (int i = 0; i < lines.size(); i++) {
      error = error(lines, i).orElse(error);
    }
    return Optional.ofNullable(error).map(OneLine::of).map(String::strip);
  }

  /** What a line says is wrong, together with those that follow it. */
  private static Optional<String> error(List<String> lines, int i) {
    String line = lines.get(i);
    Matcher crash = CRASH.matcher(line);
    if (crash.matches()) {
      return Optional.of(crash.group(1) + crashPlace(lines.subList(i, lines.size())));
    }
    Matcher jvm = JVM.matcher(line);
    if (jvm.matches()) {
      boolean goesOn = line.startsWith(NO_JVM) && i + 1 < lines.size();
      return Optional.of(goesOn ? line + ": " + lines.get(i + 1) : jvm.group(1));
    }
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
