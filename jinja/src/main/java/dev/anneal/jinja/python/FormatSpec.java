package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigInteger;
import java.util.Locale;

/**
 * Python's format specification: {@code [[fill]align][sign][z][#][0][width][grouping][.precision]
 * [type]}.
 *
 * @param place where in how much room it stands
 * @param sign one of {@code +- }, 0 where none is named
 * @param unsignedZero {@code z}: what is rounded to zero has no minus
 * @param grouping one of {@code ,_}, 0 where there is none
 * @param precision -1 where there is none
 * @param type 0 where none is named
 */
record FormatSpec(
    Place place,
    char sign,
    boolean unsignedZero,
    boolean alternate,
    char grouping,
    int precision,
    char type) {

  /**
   * Room for a text.
   *
   * @param fill as text; null where none is named
   * @param align one of {@code <>=^}, 0 where none is named, {@code '0'} for zeros before a number
   * @param width in characters, 0 where none is named
   */
  private record Place(String fill, char align, int width) {
    String filling() {
      return fill == null ? " " : fill;
    }

    String padded(Budget budget, String text, char align) {
      long more = width - (long) Texts.length(text);
      if (more <= 0) {
        return text;
      }
      long left = align == '<' ? 0 : align == '^' ? more / 2 : more;
      return Texts.repeat(budget, filling(), left)
          + text
          + Texts.repeat(budget, filling(), more - left);
    }
  }

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
    boolean unsignedZero = i < c.length && c[i] == 'z';
    i += unsignedZero ? 1 : 0;
    boolean alternate = i < c.length && c[i] == '#';
    i += alternate ? 1 : 0;
    if (i < c.length && c[i] == '0') {
      i++;
      fill = fill == null ? "0" : fill;
      align = align == 0 ? '0' : align;
    }
    int width = 0;
    while (i < c.length && c[i] >= '0' && c[i] <= '9') {
      width = digit(width, c[i++]);
    }
    char grouping = 0;
    while (i < c.length && (c[i] == ',' || c[i] == '_')) {
      if (grouping != 0) {
        throw TemplateException.value("Cannot specify both ',' and '_'.");
      }
      grouping = (char) c[i++];
    }
    int precision = -1;
    if (i < c.length && c[i] == '.') {
      int start = ++i;
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
        new Place(fill, align, width),
        sign,
        unsignedZero,
        alternate,
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
    requireSignedZero("string format specifier");
    if (alternate) {
      throw TemplateException.value("Alternate form (#) not allowed in string format specifier");
    }
    if (place.align() == '=') {
      throw TemplateException.value("'=' alignment not allowed in string format specifier");
    }
    if (grouping != 0) {
      throw TemplateException.value("Cannot specify '" + grouping + "' with 's'.");
    }
    String cut =
        precision >= 0 && precision < Texts.length(value) ? Texts.part(value, 0, precision) : value;
    boolean left = place.align() == 0 || place.align() == '0';
    return place.padded(budget, cut, left ? '<' : place.align());
  }

  private TemplateException unknown(String what) {
    return TemplateException.value(
        "Unknown format code '" + type + "' for object of type '" + what + "'");
  }

  private void requireSignedZero(String where) {
    if (unsignedZero) {
      throw TemplateException.value("Negative zero coercion (z) not allowed in " + where);
    }
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
    // a percentage may be infinite where the number is not
    boolean finite = Character.isDigit(digits.charAt(0));
    boolean negative = number < 0 || (number == 0 && 1 / number < 0);
    boolean shown = negative && !(unsignedZero && finite && isZero(digits));
    return signed(budget, shown, "", digits, finite);
  }

  private static boolean isZero(String digits) {
    int exponent = digits.toLowerCase(Locale.ROOT).indexOf('e');
    String mantissa = exponent < 0 ? digits : digits.substring(0, exponent);
    return mantissa.chars().noneMatch(c -> c >= '1' && c <= '9');
  }

  private boolean isOneOf(String types) {
    return type != 0 && types.indexOf(type) >= 0;
  }

  private boolean isIntegerType() {
    return type == 0 || isOneOf("bcdoxXn");
  }

  private String integer(Budget budget, BigInteger value) {
    requireSignedZero("integer format specifier");
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
    char align =
        switch (place.align()) {
          case 0 -> '<';
          case '0', '=' -> '>';
          default -> place.align();
        };
    return place.padded(budget, Character.toString(value.intValue()), align);
  }

  private String signed(
      Budget budget, boolean negative, String prefix, String digits, boolean finite) {
    String before = (negative ? "-" : sign == '+' || sign == ' ' ? "" + sign : "") + prefix;
    int every = isOneOf("boxX") ? 4 : 3;
    boolean fills = place.align() == '=' || place.align() == '0';
    boolean zeros = fills && "0".equals(place.fill());
    String body = digits;
    if (grouping != 0 && finite) {
      body = grouped(digits, every, zeros ? place.width() - Texts.length(before) : 0);
    }
    if (fills) {
      long more = place.width() - (long) Texts.length(before) - Texts.length(body);
      return before + Texts.repeat(budget, place.filling(), more) + body;
    }
    return place.padded(budget, before + body, place.align() == 0 ? '>' : place.align());
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
