package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Functions that Hugging Face gives to chat templates; public because Jinjava calls them. */
public final class TemplateFunctions {
  private TemplateFunctions() {}

  /** {@code raise_exception(message)}: the template refuses the conversation. */
  public static Object raiseException(String message) {
    throw new TemplateRefusalException(message);
  }

  /** {@code strftime_now(format)}: the date of the preparation in UTC, in C's notation. */
  public static String strftimeNow(String format) {
    long millis =
        JinjavaInterpreter.getCurrent().getConfig().getDateTimeProvider().getCurrentTimeMillis();
    return strftime(format, Instant.ofEpochMilli(millis).atZone(ZoneOffset.UTC));
  }

  static String strftime(String format, ZonedDateTime time) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        text.append(c);
      } else {
        text.append(field(format.charAt(++i), time));
      }
    }
    return text.toString();
  }

  private static String field(char letter, ZonedDateTime time) {
    String pattern =
        switch (letter) {
          case 'Y' -> "yyyy";
          case 'y' -> "yy";
          case 'm' -> "MM";
          case 'B' -> "MMMM";
          case 'b' -> "MMM";
          case 'd' -> "dd";
          case 'j' -> "DDD";
          case 'A' -> "EEEE";
          case 'a' -> "EEE";
          case 'H' -> "HH";
          case 'I' -> "hh";
          case 'M' -> "mm";
          case 'S' -> "ss";
          case 'p' -> "a";
          case '%' -> "'%'";
          default -> throw new TemplateRefusalException("strftime_now does not know %" + letter);
        };
    return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(time);
  }
}
