package dev.anneal.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Numbers and moments as the page writes them; what is not there is a dash. */
final class Texts {
  static final String NONE = "–";

  private static final DateTimeFormatter UTC =
      DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss 'UTC'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private Texts() {}

  static String count(JsonNode number) {
    return number.isNumber() ? count(number.longValue()) : NONE;
  }

  static String count(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  static String loss(JsonNode number) {
    return number.isNumber() ? String.format(Locale.ROOT, "%.4f", number.doubleValue()) : NONE;
  }

  static String bytes(JsonNode number) {
    return number.isNumber() ? bytes(number.longValue()) : NONE;
  }

  static String bytes(long bytes) {
    return bytes < 1L << 30
        ? String.format(Locale.ROOT, "%.0f MiB", bytes / (double) (1L << 20))
        : String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
  }

  static String time(Duration time) {
    long seconds = time.toSeconds();
    if (seconds >= 3600) {
      return String.format(Locale.ROOT, "%d h %02d min", time.toHours(), time.toMinutesPart());
    }
    return seconds >= 60
        ? String.format(Locale.ROOT, "%d min %02d s", time.toMinutes(), time.toSecondsPart())
        : String.format(Locale.ROOT, "%.1f s", time.toMillis() / 1000.0);
  }

  static String moment(Instant moment) {
    return UTC.format(moment);
  }

  static String moment(JsonNode text) {
    return RunView.instant(text).map(Texts::moment).orElse(NONE);
  }
}
