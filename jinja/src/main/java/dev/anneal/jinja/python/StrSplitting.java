package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.syntax.Whitespace;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Methods that take a text apart. */
final class StrSplitting {
  private static final Signature SPLIT =
      Signature.of("split").optional("sep", null).optional("maxsplit", -1L);
  private static final Signature SPLITLINES =
      Signature.of("splitlines").optional("keepends", false);

  private StrSplitting() {}

  static Object call(String text, String name, Arguments arguments) {
    switch (name) {
      case "split", "rsplit" -> {
        Object[] values = SPLIT.bind(arguments);
        int most = Numbers.size(values[1]);
        int limit = most < 0 ? Integer.MAX_VALUE : most;
        if (values[0] == null) {
          return name.equals("split") ? words(text, limit) : lastWords(text, limit);
        }
        String separator = separator(name, values[0]);
        return name.equals("split")
            ? split(text, separator, limit)
            : splitFromEnd(text, separator, limit);
      }
      case "splitlines" -> {
        return Texts.lines(text, Numbers.size(SPLITLINES.bind(arguments)[0]) != 0);
      }
      default -> {
        String separator = separator(name, arguments.require(name, 1, 1).get(0));
        return name.equals("partition")
            ? partition(text, separator)
            : lastPartition(text, separator);
      }
    }
  }

  private static String separator(String name, Object argument) {
    String separator = StrMethods.text(name, argument);
    if (separator.isEmpty()) {
      throw TemplateException.value("empty separator");
    }
    return separator;
  }

  private static List<Object> split(String text, String separator, int limit) {
    List<Object> parts = new ArrayList<>();
    int from = 0;
    int left = limit;
    for (int i = text.indexOf(separator); i >= 0 && left > 0; i = text.indexOf(separator, from)) {
      parts.add(text.substring(from, i));
      from = i + separator.length();
      left--;
    }
    parts.add(text.substring(from));
    return parts;
  }

  private static List<Object> splitFromEnd(String text, String separator, int limit) {
    List<Object> parts = new ArrayList<>();
    int end = text.length();
    for (int left = limit; left > 0; left--) {
      int i = text.lastIndexOf(separator, end - separator.length());
      if (i < 0 || end < separator.length()) {
        break;
      }
      parts.add(text.substring(i + separator.length(), end));
      end = i;
    }
    parts.add(text.substring(0, end));
    Collections.reverse(parts);
    return parts;
  }

  private static List<Object> words(String text, int limit) {
    List<Object> words = new ArrayList<>();
    int i = 0;
    int left = limit;
    while (true) {
      while (i < text.length() && Whitespace.is(text.charAt(i))) {
        i++;
      }
      if (i == text.length()) {
        return words;
      }
      if (left == 0) {
        words.add(text.substring(i));
        return words;
      }
      int start = i;
      while (i < text.length() && !Whitespace.is(text.charAt(i))) {
        i++;
      }
      words.add(text.substring(start, i));
      left--;
    }
  }

  private static List<Object> lastWords(String text, int limit) {
    List<Object> words = new ArrayList<>();
    int i = text.length();
    int left = limit;
    while (true) {
      while (i > 0 && Whitespace.is(text.charAt(i - 1))) {
        i--;
      }
      if (i == 0) {
        break;
      }
      if (left == 0) {
        words.add(text.substring(0, i));
        break;
      }
      int end = i;
      while (i > 0 && !Whitespace.is(text.charAt(i - 1))) {
        i--;
      }
      words.add(text.substring(i, end));
      left--;
    }
    Collections.reverse(words);
    return words;
  }

  private static Tuple partition(String text, String separator) {
    int i = text.indexOf(separator);
    return i < 0
        ? Tuple.of(text, "", "")
        : Tuple.of(text.substring(0, i), separator, text.substring(i + separator.length()));
  }

  private static Tuple lastPartition(String text, String separator) {
    int i = text.lastIndexOf(separator);
    return i < 0
        ? Tuple.of("", "", text)
        : Tuple.of(text.substring(0, i), separator, text.substring(i + separator.length()));
  }
}
