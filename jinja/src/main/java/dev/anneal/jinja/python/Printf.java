package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigInteger;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Python's {@code text % values}. */
public final class Printf {
  private final Budget budget;
  private final String format;
  private final Object values;
  private final boolean escapes;
  private final StringBuilder result = new StringBuilder();
  private int position;
  private int used;

  private Printf(Budget budget, String format, Object values, boolean escapes) {
    this.budget = budget;
    this.format = format;
    this.values = values;
    this.escapes = escapes;
  }

  /** A text or markup with the values in it; what is put into markup is escaped. */
  public static Object format(Budget budget, Object format, Object values) {
    boolean markup = format instanceof Markup;
    String text = new Printf(budget, Repr.str(format), values, markup).run();
    return markup ? (Object) new Markup(text) : text;
  }

  private String run() {
    while (position < format.length()) {
      int percent = format.indexOf('%', position);
      if (percent < 0) {
        break;
      }
      result.append(format, position, percent);
      position = percent + 1;
      conversion();
      budget.text(0);
      if (result.length() > Budget.MAX_TEXT) {
        budget.text(result.length());
      }
    }
    result.append(format, Math.min(position, format.length()), format.length());
    boolean all = values instanceof Tuple tuple ? used >= tuple.size() : used > 0 || isMapping();
    if (!all) {
      throw TemplateException.type("not all arguments converted during string formatting");
    }
    budget.text(result.length());
    return result.toString();
  }

  // whatever has elements by index or key, but texts and tuples
  private boolean isMapping() {
    return values instanceof Map
        || values instanceof List
        || values instanceof Range
        || values instanceof Undefined;
  }

  private void conversion() {
    if (peek() == '%') {
      position++;
      result.append('%');
      return;
    }
    Object value = Attributes.ABSENT;
    if (peek() == '(') {
      value = named();
    }
    Flags flags = new Flags();
    while (position < format.length() && flags.take(peek())) {
      position++;
    }
    int width = count();
    if (width < 0) {
      flags.left = true;
      width = -width;
    }
    int precision = -1;
    if (peek() == '.') {
      position++;
      precision = Math.max(0, count());
    }
    if ("hlL".indexOf(peek()) >= 0) {
      position++;
    }
    if (position >= format.length()) {
      throw TemplateException.value("incomplete format");
    }
    char type = format.charAt(position++);
    if ("diouxXeEfFgGcrsa".indexOf(type) < 0) {
      throw TemplateException.value("unsupported format character '" + type + "'");
    }
    Object given = value == Attributes.ABSENT ? next() : value;
    append(text(type, given, flags, precision), flags, width, isNumber(type));
  }

  private static boolean isNumber(char type) {
    return "diouxXeEfFgG".indexOf(type) >= 0;
  }

  private char peek() {
    return position < format.length() ? format.charAt(position) : '\0';
  }

  private Object named() {
    int depth = 1;
    int start = ++position;
    while (position < format.length() && depth > 0) {
      char c = format.charAt(position++);
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    if (!isMapping()) {
      throw TemplateException.type("format requires a mapping");
    }
    if (depth > 0) {
      throw TemplateException.value("incomplete format key");
    }
    String key = format.substring(start, position - 1);
    used = Math.max(used, 1);
    if (values instanceof Undefined undefined) {
      throw undefined.error();
    }
    Object value = values instanceof Map<?, ?> map ? Dict.find(map, key) : Attributes.ABSENT;
    if (value == Attributes.ABSENT) {
      throw TemplateException.lookup("there is no key " + Repr.of(key) + " to format");
    }
    return value;
  }

  /** A width or a precision. */
  private int count() {
    if (peek() == '*') {
      position++;
      Object count = next();
      if (!Values.isInteger(count)) {
        throw TemplateException.type("* wants int");
      }
      return Numbers.size(count);
    }
    int number = 0;
    while (peek() >= '0' && peek() <= '9') {
      if (number > Budget.MAX_TEXT) {
        throw TemplateException.value("width too big");
      }
      number = number * 10 + format.charAt(position++) - '0';
    }
    return number;
  }

  private Object next() {
    if (values instanceof Tuple tuple) {
      if (used >= tuple.size()) {
        throw notEnough();
      }
      return tuple.items().get(used++);
    }
    if (used++ > 0) {
      throw notEnough();
    }
    return values;
  }

  private static TemplateException notEnough() {
    return TemplateException.type("not enough arguments for format string");
  }

  private static final class Flags {
    private boolean left;
    private boolean zero;
    private boolean alternate;
    private char sign;

    boolean take(char c) {
      switch (c) {
        case '-' -> left = true;
        case '0' -> zero = true;
        case '#' -> alternate = true;
        case '+' -> sign = '+';
        case ' ' -> sign = sign == '+' ? '+' : ' ';
        default -> {
          return false;
        }
      }
      return true;
    }
  }

  private String text(char type, Object value, Flags flags, int precision) {
    return switch (type) {
      case 's', 'r', 'a' -> cut(string(type, value), precision);
      case 'c' -> character(value);
      case 'e', 'E', 'f', 'F', 'g', 'G' -> real(type, value, flags, precision);
      default -> integer(type, value, flags, precision);
    };
  }

  private String string(char type, Object value) {
    String text =
        switch (type) {
          case 's' -> escapes && value instanceof Markup markup ? markup.text() : Repr.str(value);
          case 'r' -> Repr.of(value);
          default -> Repr.ascii(value);
        };
    boolean safe = !escapes || (type == 's' && value instanceof Markup);
    return safe ? text : Markup.escape(text).text();
  }

  private static String cut(String text, int precision) {
    return precision >= 0 && precision < Texts.length(text) ? Texts.part(text, 0, precision) : text;
  }

  private static String character(Object value) {
    if (Values.isInteger(value)) {
      BigInteger code = Numbers.big(Numbers.index(value));
      if (code.signum() < 0 || code.bitLength() > 21 || code.intValue() > 0x10ffff) {
        throw TemplateException.value("%c arg not in range(0x110000)");
      }
      return Character.toString(code.intValue());
    }
    if (Values.isText(value) && Texts.length(Repr.str(value)) == 1) {
      return Repr.str(value);
    }
    throw TemplateException.type("%c requires int or char");
  }

  private String real(char type, Object value, Flags flags, int precision) {
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!Numbers.isNumber(value)) {
      throw TemplateException.type("must be real number, not " + Values.typeName(value));
    }
    double number = Numbers.real(value);
    budget.text(Math.max(0, precision));
    boolean negative = number < 0 || (number == 0 && 1 / number < 0);
    return sign(negative, flags)
        + FloatFormat.absolute(number, type, precision < 0 ? 6 : precision, flags.alternate);
  }

  private static String sign(boolean negative, Flags flags) {
    return negative ? "-" : flags.sign == 0 ? "" : "" + flags.sign;
  }

  private String integer(char type, Object value, Flags flags, int precision) {
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    boolean decimal = "diu".indexOf(type) >= 0;
    Object whole = decimal && value instanceof Double real ? Numbers.truncate(real) : value;
    if (!Values.isInteger(whole)) {
      throw TemplateException.type(
          "%" + type + " format: a number is required, not " + Values.typeName(value));
    }
    BigInteger number = Numbers.big(Numbers.index(whole));
    BigInteger absolute = number.abs();
    String digits =
        switch (type) {
          case 'o' -> absolute.toString(8);
          case 'x' -> absolute.toString(16);
          case 'X' -> absolute.toString(16).toUpperCase(Locale.ROOT);
          default -> NumberTexts.of(absolute);
        };
    if (precision > digits.length()) {
      digits = Texts.repeat(budget, "0", precision - digits.length()) + digits;
    }
    String prefix = flags.alternate && !decimal ? "0" + type : "";
    return sign(number.signum() < 0, flags) + prefix + digits;
  }

  private void append(String text, Flags flags, int width, boolean number) {
    long more = width - (long) Texts.length(text);
    if (more <= 0) {
      result.append(text);
    } else if (flags.left) {
      result.append(text).append(Texts.repeat(budget, " ", more));
    } else if (flags.zero && number) {
      int behind = behindSign(text);
      result.append(text, 0, behind).append(Texts.repeat(budget, "0", more));
      result.append(text, behind, text.length());
    } else {
      result.append(Texts.repeat(budget, " ", more)).append(text);
    }
  }

  // zeros stand behind a sign and behind 0x
  private static int behindSign(String text) {
    int i = !text.isEmpty() && "+- ".indexOf(text.charAt(0)) >= 0 ? 1 : 0;
    boolean prefixed =
        text.length() > i + 1 && text.charAt(i) == '0' && "xXo".indexOf(text.charAt(i + 1)) >= 0;
    return prefixed ? i + 2 : i;
  }
}
