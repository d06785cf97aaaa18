package dev.anneal.data.token;

import com.hubspot.jinjava.el.ext.JinjavaBeanELResolver;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import jinjava.javax.el.ELContext;

/** The methods of Python's texts that chat templates call: {@code content.strip()}. */
final class PythonTexts extends JinjavaBeanELResolver {
  private static final Pattern SPACES = Pattern.compile("(?U)[\\s\\x1c-\\x1f]+");

  PythonTexts() {
    super(true);
  }

  @Override
  public Object getValue(ELContext context, Object base, Object property) {
    return null;
  }

  @Override
  public Object invoke(
      ELContext context, Object base, Object method, Class<?>[] types, Object[] arguments) {
    if (!(base instanceof CharSequence) || method == null) {
      return null;
    }
    Object result = call(base.toString(), method.toString(), arguments);
    context.setPropertyResolved(result != null);
    return result;
  }

  /** The result of a method that is known; else null. */
  private static Object call(String text, String method, Object[] arguments) {
    String first = arguments.length > 0 && arguments[0] != null ? arguments[0].toString() : null;
    return switch (method) {
      case "strip" -> rightStrip(leftStrip(text, first), first);
      case "lstrip" -> leftStrip(text, first);
      case "rstrip" -> rightStrip(text, first);
      case "startswith" -> text.startsWith(first);
      case "endswith" -> text.endsWith(first);
      case "upper" -> text.toUpperCase(Locale.ROOT);
      case "lower" -> text.toLowerCase(Locale.ROOT);
      case "replace" -> replace(text, first, arguments[1].toString());
      case "split" -> split(text, first, arguments);
      case "find" -> (long) text.indexOf(first);
      default -> null;
    };
  }

  /** With every {@code old} replaced; refused where that makes more than a template may. */
  static String replace(String text, String old, String replacement) {
    long most = old.isEmpty() ? text.length() + 1L : text.length() / old.length();
    if (text.length() + most * replacement.length() > RenderLimits.MAX_TEXT / 64) {
      RenderLimits.current().requireText(lengthReplaced(text, old, replacement));
    }
    return text.replace(old, replacement);
  }

  private static long lengthReplaced(String text, String old, String replacement) {
    if (old.isEmpty()) {
      return text.length() + (text.length() + 1L) * replacement.length();
    }
    long found = 0;
    for (int i = text.indexOf(old); i >= 0; i = text.indexOf(old, i + old.length())) {
      found++;
    }
    return text.length() + found * (replacement.length() - old.length());
  }

  /**
   * Without what stands at its beginning and is white space of Unicode, or one of the characters.
   */
  static String leftStrip(String text, String characters) {
    IntPredicate dropped = dropped(characters);
    int start = 0;
    while (start < text.length() && dropped.test(text.charAt(start))) {
      start++;
    }
    return text.substring(start);
  }

  /** The same for its end. */
  static String rightStrip(String text, String characters) {
    IntPredicate dropped = dropped(characters);
    int end = text.length();
    while (end > 0 && dropped.test(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(0, end);
  }

  private static IntPredicate dropped(String characters) {
    return characters == null ? PythonTexts::isSpace : c -> characters.indexOf(c) >= 0;
  }

  // Java's two notions of a space leave out the next-line character.
  private static boolean isSpace(int c) {
    return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
  }

  private static List<String> split(String text, String separator, Object[] arguments) {
    int most = arguments.length > 1 && arguments[1] instanceof Number n ? n.intValue() + 1 : -1;
    if (separator != null) {
      return Arrays.asList(text.split(Pattern.quote(separator), most));
    }
    String stripped = leftStrip(text, null);
    return stripped.isEmpty()
        ? List.of()
        : Arrays.asList(SPACES.split(most < 0 ? rightStrip(stripped, null) : stripped, most));
  }
}
