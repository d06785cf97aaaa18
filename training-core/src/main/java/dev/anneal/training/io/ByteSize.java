package dev.anneal.training.io;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers of bytes as users give them: {@code 5GB}, {@code 1.5 TB}, {@code 80GiB}, {@code 300}. */
public final class ByteSize {
  private static final Pattern SIZE =
      Pattern.compile("(\\d{1,15}(?:\\.\\d{1,3})?)\\s*(?:([KMGT])(I?)B)?");

  /** More than any machine or file has, and far from where sums of it overflow. */
  private static final BigDecimal MOST = BigDecimal.valueOf(1L << 53);

  private ByteSize() {}

  /** The bytes, at least 1; empty where {@code text} is no such number. */
  public static OptionalLong parse(String text) {
    Matcher size = SIZE.matcher(text.strip().toUpperCase(Locale.ROOT));
    if (!size.matches()) {
      return OptionalLong.empty();
    }
    BigDecimal bytes = new BigDecimal(size.group(1));
    if (size.group(2) != null) {
      int power = 1 + "KMGT".indexOf(size.group(2));
      long unit = size.group(3).isEmpty() ? 1000 : 1024;
      bytes = bytes.multiply(BigDecimal.valueOf(unit).pow(power));
    }
    return bytes.compareTo(BigDecimal.ONE) >= 0 && bytes.compareTo(MOST) <= 0
        ? OptionalLong.of(bytes.longValue())
        : OptionalLong.empty();
  }

  /** The same, but a number alone says nothing. */
  public static OptionalLong parseWithUnit(String text) {
    return text.strip().toUpperCase(Locale.ROOT).endsWith("B") ? parse(text) : OptionalLong.empty();
  }
}
