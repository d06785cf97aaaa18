package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigInteger;
import java.util.Locale;

/**
 * Python's format specification: {@code [[fill]align][sign][z][#][0][width][grouping][.precision]
 * [type]}.
 *
 * @param fill as text; null where none is named
 * @param align one of {@code <>=^}, 0 where none is named
 * @param sign one of {@code +- }, 0 where none is named
 * @param grouping one of {@code ,_}, 0 where there is none
 * @param precision -1 where there is none
 * @param type 0 where none is named
 */
record FormatSpec(
    String fill,
    char align,
    char sign,
    boolean alternate,
    int width,
    char grouping,
    int precision,
    char type) {

  /** Python's {@code format}. */
  static String format(Budget budget, Object value, String spec) {
    if (spec.isEmpty()) {
      return Repr.str(value);
    }
    if (Values.isText(value)) {
      return FormatSpec.parse(spec).text(budget, Repr.str(value));
    }
    if (Numbers.isNumber(value)) {
      return FormatSpec.parse(spec).number(budget, value);
    }
    throw TemplateException.type(
        "unsupported format string passed to " + Values.typeName(value) + ".__format__");
  }

  private static FormatSpec parse(String spec) {
    int[] c = spec.codePoints().toArray();
    int i = 0;
    String fill = null;
    char align = 0;
    if (c.length > 1 && isAlign(c[1])) {
      fill = Character.toString(c[0]);
      align = (char) c[1];
      i = 2;
    } else if (c.length > 0 && isAlign(c[0])) {
      align = (char) c[0];
      i = 1;
    }
    char sign = 0;
    if (i < c.length && "+- ".indexOf(c[i]) >= 0) {
      sign = (char) c[i++];
    }
    boolean alternate = i < c.length && c[i] == '#';
    i += alternate ? 1 : 0;
    if (i < c.length && c[i] == '0') {
      i++;
      fill = fill == null ? "0" : fill;
      align = align == 0 ? '0' : align;
    }
    int start = i;
    int width = 0;
    while (i < c.length && c[i] >= '0' && c[i] <= '9') {
      width = digit(width, c[i++]);
    }
    boolean hasWidth = i > start;
    char grouping = 0;
    while (i < c.length && (c[i] == ',' || c[i] == '_')) {
      if (grouping != 0) {
        throw TemplateException.value("Cannot specify both ',' and '_'.");
      }
      grouping = (char) c[i++];
    }
    int precision = -1;
    if (i < c.length && c[i] == '.') {
      start = ++i;
      precision = 0;
      while (i < c.length && c[i] >= '0' && c[i] <= '9') {
        precision = digit(precision, c[i++]);
      }
      if (i == start) {
        throw TemplateException.value("Format specifier missing precision");
      }
    }
    if (c.length - i > 1 || (i < c.length && c[i] > 127)) {
      throw TemplateException.value("Invalid format specifier '" + spec + "'");
    }
    return new FormatSpec(
        fill,
        align,
        sign,
        alternate,
        hasWidth ? width : 0,
        grouping,
        precision,
        i < c.length ? (char) c[i] : 0);
  }

  private static int digit(int number, int c) {
    if (number > Budget.MAX_TEXT) {
      throw TemplateException.value("Too many decimal digits in format string");
    }
    return number * 10 + c - '0';
  }

  private static boolean isAlign(int c) {
    return c == '<' || c == '>' || c == '=' || c == '^';
  }

  private String text(Budget budget, String value) {
    if (type != 0 && type != 's') {
      throw unknown("str");
    }
    if (sign != 0) {
      throw TemplateException.value("Sign not allowed in string format specifier");
    }
    if (alternate) {
      throw TemplateException.value("Alternate form (#) not allowed in string format specifier");
    }
    if (align == '=') {
      throw TemplateException.value("'=' alignment not allowed in string format specifier");
    }
    if (grouping != 0) {
      throw TemplateException.value("Cannot specify '" + grouping + "' with 's'.");
    }
    String cut =
        precision >= 0 && precision < Texts.length(value) ? Texts.part(value, 0, precision) : value;
    return padded(budget, cut, align == 0 || align == '0' ? '<' : align);
  }

  private TemplateException unknown(String what) {
    return TemplateException.value(
        "Unknown format code '" + type + "' for object of type '" + what + "'");
  }

  private String padded(Budget budget, String text, char place) {
    long more = width - (long) Texts.length(text);
    if (more <= 0) {
      return text;
    }
    String filling = fill == null ? " " : fill;
    long left = place == '<' ? 0 : place == '^' ? more / 2 : more;
    return Texts.repeat(budget, filling, left) + text + Texts.repeat(budget, filling, more - left);
  }

  private String number(Budget budget, Object value) {
    boolean real = value instanceof Double;
    if (!real && isIntegerType()) {
      return integer(budget, Numbers.big(Numbers.index(value)));
    }
    if (type == 's' || (isOneOf("bcdoxX") && real)) {
      throw unknown(Values.typeName(value));
    }
    if (type != 0 && !isOneOf("eEfFgG%n")) {
      throw unknown(Values.typeName(value));
    }
    if (type == 'n' && grouping != 0) {
      throw TemplateException.value("Cannot specify '" + grouping + "' with 'n'.");
    }
    double number = Numbers.real(value);
    budget.text(Math.max(0, precision));
    String digits = FloatFormat.absolute(number, type, precision, alternate);
    boolean negative = number < 0 || (number == 0 && 1 / number < 0);
    return signed(
        budget, negative, "", digits, !Double.isNaN(number) && !Double.isInfinite(number));
  }

  private boolean isOneOf(String types) {
    return type != 0 && types.indexOf(type) >= 0;
  }

  private boolean isIntegerType() {
    return type == 0 || isOneOf("bcdoxXn");
  }

  private String integer(Budget budget, BigInteger value) {
    if (precision >= 0) {
      throw TemplateException.value("Precision not allowed in integer format specifier");
    }
    if (type == 'c') {
      return character(budget, value);
    }
    if ((type == 'n' && grouping != 0) || (grouping == ',' && isOneOf("bcoxX"))) {
      throw TemplateException.value("Cannot specify '" + grouping + "' with '" + type + "'.");
    }
    BigInteger absolute = value.abs();
    String digits =
        switch (type) {
          case 'b' -> absolute.toString(2);
          case 'o' -> absolute.toString(8);
          case 'x' -> absolute.toString(16);
          case 'X' -> absolute.toString(16).toUpperCase(Locale.ROOT);
          default -> NumberTexts.of(absolute);
        };
    String prefix = alternate && isOneOf("boxX") ? "0" + type : "";
    return signed(budget, value.signum() < 0, prefix, digits, true);
  }

  private String character(Budget budget, BigInteger value) {
    if (sign != 0 || alternate || grouping != 0) {
      throw TemplateException.value("Sign, '#' and grouping are not allowed with 'c'");
    }
    if (value.signum() < 0 || value.bitLength() > 21 || value.intValue() > 0x10ffff) {
      throw TemplateException.value("%c arg not in range(0x110000)");
    }
    char place = align == 0 || align == '0' ? '<' : align == '=' ? '>' : align;
    return padded(budget, Character.toString(value.intValue()), align == '0' ? '>' : place);
  }

  private String signed(
      Budget budget, boolean negative, String prefix, String digits, boolean finite) {
    String before = (negative ? "-" : sign == '+' || sign == ' ' ? "" + sign : "") + prefix;
    int every = isOneOf("boxX") ? 4 : 3;
    boolean fills = align == '=' || align == '0';
    boolean zeros = fills && "0".equals(fill);
    String body = digits;
    if (grouping != 0 && finite) {
      body = grouped(digits, every, zeros ? width - Texts.length(before) : 0);
    }
    if (fills) {
      long more = width - (long) Texts.length(before) - Texts.length(body);
      return before + Texts.repeat(budget, fill == null ? " " : fill, more) + body;
    }
    return padded(budget, before + body, align == 0 ? '>' : align);
  }

  private String grouped(String digits, int every, int least) {
    int end = 0;
    while (end < digits.length()
        && Character.digit(digits.charAt(end), 16) >= 0
        && (every == 4 || Character.isDigit(digits.charAt(end)))) {
      end++;
    }
    String rest = digits.substring(end);
    StringBuilder whole = new StringBuilder(digits.substring(0, end));
    // zeros are grouped as well
    while (groupedLength(whole.length(), every) + rest.length() < least) {
      whole.insert(0, '0');
    }
    StringBuilder result = new StringBuilder();
    for (int i = 0; i < whole.length(); i++) {
      if (i > 0 && (whole.length() - i) % every == 0) {
        result.append(grouping);
      }
      result.append(whole.charAt(i));
    }
    return result.append(rest).toString();
  }

  private static int groupedLength(int digits, int every) {
    return digits + (digits - 1) / every;
  }
}
