package dev.anneal.spark.doctor;

import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the kernel lets this process have: the text of {@code /proc/self/limits}. */
record ProcessLimits(String text) {
  static final String LOCKED_MEMORY = "Max locked memory";
  static final String OPEN_FILES = "Max open files";

  /**
   * The soft limit; empty where there is none, as {@code ulimit} shows it.
   *
   * @throws IllegalStateException if the kernel does not tell
   */
  OptionalLong soft(String name) {
    Matcher line =
        Pattern.compile("(?m)^" + Pattern.quote(name) + "\\s+(\\d+|unlimited)").matcher(text);
    if (!line.find()) {
      throw new IllegalStateException("not told by the kernel");
    }
    return line.group(1).equals("unlimited")
        ? OptionalLong.empty()
        : OptionalLong.of(Long.parseLong(line.group(1)));
  }
}
