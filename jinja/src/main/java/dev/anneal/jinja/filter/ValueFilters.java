package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Json;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.Texts;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.List;
import java.util.Map;

/** Filters for values of any kind. */
final class ValueFilters {
  private static final int MAX_INDENT = 1 << 10;

  private ValueFilters() {}

  static void addTo(Map<String, Function> filters) {
    Function otherwise =
        Function.of(
            Signature.of("default", "value")
                .optional("default_value", "")
                .optional("boolean", false),
            (e, v) -> isAbsent(v[0], v[2]) ? v[1] : v[0]);
    filters.put("default", otherwise);
    filters.put("d", otherwise);
    filters.put("attr", Function.of(Signature.of("attr", "obj", "name"), (e, v) -> attribute(v)));
    filters.put(
        "pprint",
        Function.of(Signature.of("pprint", "value"), (e, v) -> PrettyPrint.of(e.budget(), v[0])));
    filters.put(
        "tojson",
        Function.of(
            Signature.of("tojson", "x")
                .optional("ensure_ascii", false)
                .optional("indent", null)
                .optional("separators", null)
                .optional("sort_keys", false),
            (e, v) -> json(e.budget(), v)));
  }

  private static boolean isAbsent(Object value, Object alsoFalse) {
    return value instanceof Undefined || (Values.truth(alsoFalse) && !Values.truth(value));
  }

  private static Object attribute(Object[] v) {
    if (!Values.isText(v[1])) {
      throw TemplateException.type(
          "attribute name must be string, not '" + Values.typeName(v[1]) + "'");
    }
    Object value = Attributes.attribute(v[0], Repr.str(v[1]));
    return value == Attributes.ABSENT ? Undefined.member(v[0], Repr.str(v[1])) : value;
  }

  // transformers' own, which escapes nothing for HTML
  private static Object json(Budget budget, Object[] v) {
    String indent = null;
    if (Values.isText(v[2])) {
      indent = Repr.str(v[2]);
    } else if (v[2] != null) {
      int width = Numbers.size(v[2]);
      if (width > MAX_INDENT) {
        throw TemplateException.limit("tojson indents by at most " + MAX_INDENT);
      }
      indent = Texts.repeat(budget, " ", width);
    }
    String itemSeparator = indent == null ? ", " : ",";
    String keySeparator = ": ";
    if (v[3] != null) {
      List<Object> separators = Iteration.list(budget, v[3]);
      if (separators.size() != 2) {
        throw TemplateException.value("tojson takes two separators");
      }
      itemSeparator = separator(separators.get(0));
      keySeparator = separator(separators.get(1));
    }
    return Json.of(
        budget,
        v[0],
        new Json.Layout(
            Values.truth(v[1]), indent, itemSeparator, keySeparator, Values.truth(v[4])));
  }

  private static String separator(Object value) {
    if (!Values.isText(value)) {
      throw TemplateException.type("separators must be texts, not " + Values.typeName(value));
    }
    return Repr.str(value);
  }
}
