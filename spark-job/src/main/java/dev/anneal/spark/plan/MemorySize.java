package dev.anneal.spark.plan;

import dev.anneal.spark.BadRequestException;
import java.math.BigDecimal;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes of memory as users give them: {@code 141GB}, {@code 1.5TB}, {@code 80GiB}. */
final class MemorySize {
  private static final Pattern SIZE = Pattern.compile("(\\d{1,9}(?:\\.\\d{1,3})?)\\s*([MGT]I?B)");

  private static final Map<String, Long> UNITS =
      Map.of(
          "MB",
          1_000_000L,
          "GB",
          1_000_000_000L,
          "TB",
          1_000_000_000_000L,
          "MIB",
          1L << 20,
          "GIB",
          1L << 30,
          "TIB",
          1L << 40);

  /** More than any machine has, and far from where sums of it overflow. */
  private static final BigDecimal MOST = BigDecimal.valueOf(1L << 53);

  private MemorySize() {}

  /**
   * Reads one.
   *
   * @param option what it was given for
   * @return bytes, at least 1
   * @throws BadRequestException if it is none
   */
  static long parse(String option, String text) {
    Matcher size = SIZE.matcher(text.strip().toUpperCase(Locale.ROOT));
    if (size.matches()) {
      BigDecimal bytes =
          new BigDecimal(size.group(1)).multiply(BigDecimal.valueOf(UNITS.get(size.group(2))));
      if (bytes.compareTo(BigDecimal.ONE) >= 0 && bytes.compareTo(MOST) <= 0) {
        return bytes.longValue();
      }
    }
    throw new BadRequestException(
        "%s is '%s', but must be a number of MB, GB, TB, MiB, GiB or TiB, such as 141GB."
            .formatted(option, text));
  }
}
