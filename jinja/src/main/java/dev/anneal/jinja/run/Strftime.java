package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Values;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;
import java.util.Locale;

/** Dates in C's notation, in English. */
final class Strftime {
  private Strftime() {}

  static String format(Object format, ZonedDateTime time) {
    if (!Values.isText(format)) {
      throw TemplateException.type(
          "strftime_now() argument must be str, not " + Values.typeName(format));
    }
    return text(Repr.str(format), time);
  }

  private static String text(String format, ZonedDateTime time) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        text.append(c);
        continue;
      }
      char letter = format.charAt(++i);
      if (letter == '-' && i + 1 < format.length()) {
        text.append(withoutPadding(field(format.charAt(++i), time)));
      } else {
        text.append(field(letter, time));
      }
    }
    return text.toString();
  }

  private static String withoutPadding(String field) {
    int i = 0;
    while (i < field.length() - 1 && (field.charAt(i) == '0' || field.charAt(i) == ' ')) {
      i++;
    }
    return field.substring(i);
  }

  private static String field(char letter, ZonedDateTime time) {
    return switch (letter) {
      case 'Y' -> pattern("uuuu", time);
      case 'y' -> pattern("uu", time);
      case 'C' -> String.format(Locale.ROOT, "%02d", time.getYear() / 100);
      case 'm' -> pattern("MM", time);
      case 'B' -> pattern("MMMM", time);
      case 'b', 'h' -> pattern("MMM", time);
      case 'd' -> pattern("dd", time);
      case 'e' -> String.format(Locale.ROOT, "%2d", time.getDayOfMonth());
      case 'j' -> pattern("DDD", time);
      case 'A' -> pattern("EEEE", time);
      case 'a' -> pattern("EEE", time);
      case 'u' -> "" + time.getDayOfWeek().getValue();
      case 'w' -> "" + time.getDayOfWeek().getValue() % 7;
      case 'U' -> week(time, time.getDayOfWeek().getValue() % 7);
      case 'W' -> week(time, time.getDayOfWeek().getValue() - 1);
      case 'V' -> String.format(Locale.ROOT, "%02d", time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
      case 'G' -> String.format(Locale.ROOT, "%d", time.get(IsoFields.WEEK_BASED_YEAR));
      case 'H' -> pattern("HH", time);
      case 'I' -> pattern("hh", time);
      case 'k' -> String.format(Locale.ROOT, "%2d", time.getHour());
      case 'l' -> String.format(Locale.ROOT, "%2d", time.get(ChronoField.CLOCK_HOUR_OF_AMPM));
      case 'M' -> pattern("mm", time);
      case 'S' -> pattern("ss", time);
      case 'f' -> pattern("SSSSSS", time);
      case 'p' -> pattern("a", time);
      case 'P' -> pattern("a", time).toLowerCase(Locale.ROOT);
      case 's' -> "" + time.toEpochSecond();
      case 'c' -> text("%a %b %e %H:%M:%S %Y", time);
      case 'D', 'x' -> text("%m/%d/%y", time);
      case 'F' -> text("%Y-%m-%d", time);
      case 'R' -> text("%H:%M", time);
      case 'r' -> text("%I:%M:%S %p", time);
      case 'T', 'X' -> text("%H:%M:%S", time);
      // a date without a zone has none to print
      case 'z', 'Z' -> "";
      case 'n' -> "\n";
      case 't' -> "\t";
      case '%' -> "%";
      default -> throw TemplateException.value("strftime_now does not know %" + letter);
    };
  }

  private static String week(ZonedDateTime time, int daysSinceFirst) {
    return String.format(Locale.ROOT, "%02d", (time.getDayOfYear() + 6 - daysSinceFirst) / 7);
  }

  private static String pattern(String pattern, ZonedDateTime time) {
    return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
  }
}
