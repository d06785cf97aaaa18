package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigInteger;
import java.util.Map;

/** {@code str.translate} and the table that {@code str.maketrans} makes for it. */
final class StrTranslation {
  private StrTranslation() {}

  /** The text with each of its code points as the table has it. */
  static String translate(Budget budget, String text, Object table) {
    StringBuilder result = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      budget.step();
      append(c, found(table, c), result);
      if (result.length() > Budget.MAX_TEXT) {
        budget.text(result.length());
      }
    }
    budget.text(result.length());
    return result.toString();
  }

  /** What stands at {@code table[c]}; absent if nothing does. */
  private static Object found(Object table, long c) {
    if (table instanceof Map<?, ?> map) {
      return Dict.find(map, c);
    }
    if (table instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!Slices.isSliceable(table)) {
      throw TemplateException.type("'" + Values.typeName(table) + "' object is not subscriptable");
    }
    return c < Iteration.size(table) ? Attributes.item(table, c) : Attributes.ABSENT;
  }

  private static void append(int c, Object found, StringBuilder result) {
    if (found == Attributes.ABSENT) {
      result.appendCodePoint(c);
    } else if (Values.isText(found)) {
      result.append(Repr.str(found));
    } else if (Values.isInteger(found)) {
      BigInteger code = Numbers.big(Numbers.index(found));
      if (code.signum() < 0
          || code.bitLength() > 21
          || code.intValue() > Character.MAX_CODE_POINT) {
        throw TemplateException.value("character mapping must be in range(0x110000)");
      }
      result.appendCodePoint(code.intValue());
    } else if (found != null) {
      throw TemplateException.type("character mapping must return integer, None or str");
    }
  }

  static Dict table(Arguments arguments) {
    arguments.require("maketrans", 1, 3);
    Dict table = new Dict();
    if (arguments.size() == 1) {
      if (!(arguments.get(0) instanceof Map<?, ?> map)) {
        throw TemplateException.type(
            "if you give only one argument to maketrans it must be a dict");
      }
      map.forEach((key, value) -> table.put(code(key), value));
      return table;
    }
    String from = StrMethods.text("maketrans", arguments.get(0));
    String to = StrMethods.text("maketrans", arguments.get(1));
    if (Texts.length(from) != Texts.length(to)) {
      throw TemplateException.value("the first two maketrans arguments must have equal length");
    }
    int[] codes = to.codePoints().toArray();
    int i = 0;
    for (int c : from.codePoints().toArray()) {
      table.put((long) c, (long) codes[i++]);
    }
    if (arguments.size() == 3) {
      StrMethods.text("maketrans", arguments.get(2))
          .codePoints()
          .forEach(c -> table.put((long) c, null));
    }
    return table;
  }

  private static Object code(Object key) {
    if (Values.isText(key)) {
      String text = Repr.str(key);
      if (Texts.length(text) != 1) {
        throw TemplateException.value("string keys in translate table must be of length 1");
      }
      return (long) text.codePointAt(0);
    }
    if (Values.isInteger(key)) {
      return key;
    }
    throw TemplateException.type("keys in translate table must be strings or integers");
  }
}
