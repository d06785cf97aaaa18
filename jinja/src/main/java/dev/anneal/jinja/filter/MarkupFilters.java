package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Filters for HTML. */
final class MarkupFilters {
  private MarkupFilters() {}

  static void addTo(Map<String, Function> filters) {
    Function escape = Function.unnamed("escape", 1, (e, v) -> Markup.escape(v[0]));
    filters.put("e", escape);
    filters.put("escape", escape);
    filters.put(
        "forceescape",
        Function.of(Signature.of("forceescape", "value"), (e, v) -> Markup.escape(Repr.str(v[0]))));
    filters.put(
        "safe",
        Function.of(
            Signature.of("safe", "value"),
            (e, v) -> v[0] instanceof Markup ? v[0] : new Markup(Repr.str(v[0]))));
    filters.put(
        "striptags",
        Function.of(
            Signature.of("striptags", "value"), (e, v) -> Html.withoutTags(Repr.str(v[0]))));
    filters.put(
        "xmlattr",
        Function.of(
            Signature.of("xmlattr", "d").optional("autospace", true), MarkupFilters::attributes));
    filters.put(
        "urlize",
        Function.of(
            Signature.of("urlize", "value")
                .optional("trim_url_limit", null)
                .optional("nofollow", false)
                .optional("target", null)
                .optional("rel", null)
                .optional("extra_schemes", null),
            (e, v) -> marked(e, Urlize.of(e.budget(), v))));
  }

  private static Object marked(Environment environment, String text) {
    return environment.escaping() ? new Markup(text) : text;
  }

  private static Object attributes(Environment environment, Object[] v) {
    if (v[0] instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!(v[0] instanceof Map<?, ?> map)) {
      throw TemplateException.type("xmlattr takes a mapping, not " + Values.typeName(v[0]));
    }
    List<String> items = new ArrayList<>();
    map.forEach(
        (key, value) -> {
          if (value == null || value instanceof Undefined) {
            return;
          }
          if (!Values.isText(key)) {
            throw TemplateException.type("xmlattr takes texts for keys");
          }
          String name = Repr.str(key);
          if (name.chars().anyMatch(c -> " \t\n\u000b\f\r/>=".indexOf(c) >= 0)) {
            throw TemplateException.value("Invalid character in attribute name: " + Repr.of(name));
          }
          items.add(Markup.escape(key).text() + "=\"" + Markup.escape(value).text() + '"');
        });
    String text = String.join(" ", items);
    boolean spaced = Values.truth(v[1]) && !text.isEmpty();
    return marked(environment, spaced ? " " + text : text);
  }
}
