package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Operators;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.Slices;
import dev.anneal.jinja.python.Texts;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.List;
import java.util.Map;

/** Filters that lay out a text in lines, or cut it. */
final class LayoutFilters {
  private static final int MAX_INDENT = 1 << 16;

  private LayoutFilters() {}

  static void addTo(Map<String, Function> filters) {
    filters.put(
        "indent",
        Function.of(
            Signature.of("indent", "s")
                .optional("width", 4L)
                .optional("first", false)
                .optional("blank", false),
            (e, v) -> indent(e.budget(), v)));
    filters.put(
        "truncate",
        Function.of(
            Signature.of("truncate", "s")
                .optional("length", 255L)
                .optional("killwords", false)
                .optional("end", "...")
                .optional("leeway", null),
            (e, v) -> truncate(e.budget(), v)));
    filters.put(
        "wordwrap",
        Function.of(
            Signature.of("wordwrap", "s")
                .optional("width", 79L)
                .optional("break_long_words", true)
                .optional("wrapstring", null)
                .optional("break_on_hyphens", true),
            (e, v) -> WordWrap.wrap(v)));
  }

  private static Object indent(Budget budget, Object[] v) {
    if (v[0] instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!Values.isText(v[0])) {
      throw TemplateException.type("indent takes a text, not " + Values.typeName(v[0]));
    }
    String indention =
        Values.isText(v[1])
            ? Repr.str(v[1])
            : Texts.repeat(budget, " ", Math.min(MAX_INDENT, Numbers.size(v[1])));
    if (v[0] instanceof Markup && Values.isText(v[1]) && !(v[1] instanceof Markup)) {
      // markup of a text is that text
      indention = Repr.str(v[1]);
    }
    List<Object> lines = Texts.lines(Repr.str(v[0]) + "\n");
    boolean blank = Values.truth(v[3]);
    StringBuilder text = new StringBuilder(Values.truth(v[2]) ? indention : "");
    for (int i = 0; i < lines.size(); i++) {
      String line = (String) lines.get(i);
      if (i > 0) {
        text.append('\n').append(blank || !line.isEmpty() ? indention : "");
      }
      text.append(line);
      if (text.length() > Budget.MAX_TEXT) {
        budget.text(text.length());
      }
    }
    budget.text(text.length());
    return v[0] instanceof Markup ? new Markup(text.toString()) : text.toString();
  }

  private static Object truncate(Budget budget, Object[] v) {
    long endLength = Iteration.length(v[3]);
    Object length = number(v[1]);
    Object leeway = v[4] == null ? 5L : number(v[4]);
    if (Numbers.real(length) < endLength) {
      throw TemplateException.value("expected length >= " + endLength);
    }
    if (Numbers.real(leeway) < 0) {
      throw TemplateException.value("expected leeway >= 0");
    }
    if (Iteration.length(v[0]) <= Numbers.real(length) + Numbers.real(leeway)) {
      return v[0];
    }
    Object kept = Slices.of(v[0], null, Operators.subtract(budget, length, endLength), null);
    if (Values.truth(v[2])) {
      return Operators.add(budget, kept, v[3]);
    }
    if (!Values.isText(kept)) {
      throw TemplateException.type("truncate takes a text, not " + Values.typeName(v[0]));
    }
    String text = Repr.str(kept);
    int space = text.lastIndexOf(' ');
    String words = space < 0 ? text : text.substring(0, space);
    return Operators.add(budget, kept instanceof Markup ? new Markup(words) : words, v[3]);
  }

  private static Object number(Object value) {
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!Numbers.isNumber(value)) {
      throw TemplateException.type("'>=' not supported for '" + Values.typeName(value) + "'");
    }
    return value;
  }
}
