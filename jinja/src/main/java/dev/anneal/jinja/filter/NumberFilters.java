package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.NumberTexts;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Operators;
import dev.anneal.jinja.python.Printf;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.List;
import java.util.Map;

/** Filters that make and change numbers. */
final class NumberFilters {
  private NumberFilters() {}

  static void addTo(Map<String, Function> filters) {
    filters.put("abs", Function.unnamed("abs", 1, (e, v) -> Numbers.abs(number(v[0]))));
    filters.put(
        "int",
        Function.of(
            Signature.of("int", "value").optional("default", 0L).optional("base", 10L),
            (e, v) -> integer(v)));
    filters.put(
        "float",
        Function.of(Signature.of("float", "value").optional("default", 0.0), (e, v) -> real(v)));
    filters.put(
        "round",
        Function.of(
            Signature.of("round", "value").optional("precision", 0L).optional("method", "common"),
            (e, v) -> round(v)));
    filters.put(
        "filesizeformat",
        Function.of(
            Signature.of("filesizeformat", "value").optional("binary", false),
            NumberFilters::fileSize));
  }

  private static Object number(Object value) {
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!Numbers.isNumber(value)) {
      throw TemplateException.type("a number is required, not " + Values.typeName(value));
    }
    return value;
  }

  private static Object integer(Object[] v) {
    if (v[0] instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (Values.isText(v[0])) {
      Object parsed = parsed(v);
      if (parsed != null) {
        return parsed;
      }
    } else if (Values.isInteger(v[0])) {
      return Numbers.index(v[0]);
    } else if (v[0] instanceof Double number) {
      if (number.isInfinite()) {
        // Jinja does not expect this error
        return Numbers.truncate(number);
      }
      return number.isNaN() ? v[1] : Numbers.truncate(number);
    }
    Double real = Values.isText(v[0]) ? NumberTexts.real(Repr.str(v[0])) : null;
    return real == null || real.isNaN() || real.isInfinite() ? v[1] : Numbers.truncate(real);
  }

  private static Object parsed(Object[] v) {
    if (!Values.isInteger(v[2])) {
      if (v[2] instanceof Undefined undefined) {
        throw undefined.error();
      }
      return null;
    }
    try {
      return NumberTexts.integer(Repr.str(v[0]), Numbers.size(v[2]));
    } catch (TemplateException e) {
      if (e.kind() == TemplateException.Kind.VALUE) {
        return null;
      }
      throw e;
    }
  }

  private static Object real(Object[] v) {
    if (v[0] instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (Numbers.isNumber(v[0])) {
      return Numbers.real(v[0]);
    }
    Double parsed = Values.isText(v[0]) ? NumberTexts.real(Repr.str(v[0])) : null;
    return parsed == null ? v[1] : parsed;
  }

  private static Object round(Object[] v) {
    boolean common = Values.isText(v[2]) && Repr.str(v[2]).equals("common");
    boolean ceil = Values.isText(v[2]) && Repr.str(v[2]).equals("ceil");
    boolean floor = Values.isText(v[2]) && Repr.str(v[2]).equals("floor");
    if (!common && !ceil && !floor) {
      throw Paths.wrong("method must be common, ceil or floor");
    }
    Object number = number(v[0]);
    if (common) {
      if (v[1] == null) {
        return number instanceof Double real
            ? Numbers.truncate(
                Double.isNaN(real) || Double.isInfinite(real) ? real : Math.rint(real))
            : Numbers.index(number);
      }
      return Numbers.round(number, v[1]);
    }
    Object scale = Operators.power(10L, v[1]);
    Object scaled = Operators.multiply(null, number, scale);
    Object whole =
        scaled instanceof Double real
            ? Numbers.truncate(
                Double.isNaN(real) || Double.isInfinite(real)
                    ? real
                    : ceil ? Math.ceil(real) : Math.floor(real))
            : Numbers.index(scaled);
    return Operators.divide(whole, scale);
  }

  private static Object fileSize(Environment environment, Object[] v) {
    if (v[0] instanceof Undefined undefined) {
      throw undefined.error();
    }
    Double bytes =
        Numbers.isNumber(v[0])
            ? (Double) Numbers.real(v[0])
            : Values.isText(v[0]) ? NumberTexts.real(Repr.str(v[0])) : null;
    if (bytes == null) {
      throw TemplateException.value("could not convert to float: " + Repr.of(v[0]));
    }
    boolean binary = Values.truth(v[1]);
    double base = binary ? 1024 : 1000;
    if (bytes == 1) {
      return "1 Byte";
    }
    if (bytes < base) {
      return Repr.of(Numbers.truncate(bytes)) + " Bytes";
    }
    List<String> prefixes =
        binary
            ? List.of("KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
            : List.of("kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB");
    double unit = base;
    int i = 0;
    do {
      unit *= base;
      i++;
      // what is no number is in the largest
    } while (!(bytes < unit) && i < prefixes.size());
    Object amount = Printf.format(environment.budget(), "%.1f", base * bytes / unit);
    return amount + " " + prefixes.get(i - 1);
  }
}
