package dev.anneal.data.source;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoField;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** Values that JSON has no form for as texts, which are those of Python's {@code str}. */
final class PythonText {
  private static final DateTimeFormatter SECONDS =
      DateTimeFormatter.ofPattern("HH:mm:ss", Locale.ROOT);
  private static final DateTimeFormatter OFFSET = DateTimeFormatter.ofPattern("xxx", Locale.ROOT);

  private static final long SECONDS_OF_DAY = TimeUnit.DAYS.toSeconds(1);

  private PythonText() {}

  /** {@code decimal.Decimal}; General Decimal Arithmetic, which Java's text follows too. */
  static String decimal(BigInteger unscaled, int scale) {
    return new BigDecimal(unscaled, scale).toString();
  }

  /** {@code datetime.date}. */
  static String date(long daysSince1970) {
    return LocalDate.ofEpochDay(daysSince1970).toString();
  }

  /** {@code datetime.time}. */
  static String time(long sinceMidnight, TimeUnit unit) {
    return text(LocalTime.ofNanoOfDay(unit.toNanos(sinceMidnight)));
  }

  /**
   * {@code datetime.datetime}.
   *
   * @param zone name of the time zone that it is told in; null for one that is told in none
   */
  static String timestamp(long since1970, TimeUnit unit, String zone) {
    long perSecond = unit.convert(1, TimeUnit.SECONDS);
    Instant moment =
        Instant.ofEpochSecond(
            Math.floorDiv(since1970, perSecond), unit.toNanos(Math.floorMod(since1970, perSecond)));
    ZonedDateTime told = moment.atZone(zone == null ? ZoneOffset.UTC : ZoneId.of(zone));
    LocalDateTime local = told.toLocalDateTime();
    String text = local.toLocalDate() + " " + text(local.toLocalTime());
    return zone == null ? text : text + OFFSET.format(told);
  }

  /** {@code datetime.timedelta}. */
  static String duration(Duration duration) {
    long days = Math.floorDiv(duration.getSeconds(), SECONDS_OF_DAY);
    int seconds = (int) Math.floorMod(duration.getSeconds(), SECONDS_OF_DAY);
    String text = text(LocalTime.ofSecondOfDay(seconds).withNano(duration.getNano()));
    String ofDay = text.charAt(0) == '0' ? text.substring(1) : text;
    return days == 0 ? ofDay : days + (Math.abs(days) == 1 ? " day, " : " days, ") + ofDay;
  }

  /** Microseconds where there are some, nanoseconds as pandas has them. */
  private static String text(LocalTime time) {
    int nanos = time.get(ChronoField.NANO_OF_SECOND);
    String fraction = "";
    if (nanos % 1000 != 0) {
      fraction = String.format(Locale.ROOT, ".%09d", nanos);
    } else if (nanos != 0) {
      fraction = String.format(Locale.ROOT, ".%06d", nanos / 1000);
    }
    return SECONDS.format(time) + fraction;
  }
}
