package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Dict;
import dev.anneal.jinja.python.Letters;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Printf;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.StrPadding;
import dev.anneal.jinja.python.Texts;
import dev.anneal.jinja.python.Tuple;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.syntax.Whitespace;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Filters that make a text of a text. */
final class TextFilters {
  private TextFilters() {}

  static void addTo(Map<String, Function> filters) {
    filters.put("upper", plain("upper", Letters::upper));
    filters.put("lower", plain("lower", Letters::lower));
    filters.put("capitalize", plain("capitalize", Letters::capitalize));
    filters.put("title", of("title", (e, v) -> title(Repr.str(v[0]))));
    filters.put("string", Function.unnamed("string", 1, (e, v) -> soft(v[0])));
    filters.put(
        "trim",
        Function.of(
            Signature.of("trim", "value").optional("chars", null),
            (e, v) -> mapped(v[0], text -> Texts.strip(text, characters(v[1])))));
    filters.put(
        "replace",
        Function.of(
            Signature.of("replace", "s", "old", "new").optional("count", null),
            TextFilters::replace));
    filters.put(
        "center",
        Function.of(
            Signature.of("center", "value").optional("width", 80L),
            (e, v) ->
                mapped(
                    v[0], text -> StrPadding.center(e.budget(), text, Numbers.size(v[1]), " "))));
    filters.put("format", TextFilters::format);
    filters.put("urlencode", of("urlencode", (e, v) -> UrlEncoding.of(v[0])));
    filters.put("wordcount", of("wordcount", (e, v) -> Words.count(Repr.str(v[0]))));
  }

  private static Function of(String name, Function.Body body) {
    return Function.of(Signature.of(name, name.equals("upper") ? "s" : parameter(name)), body);
  }

  private static String parameter(String filter) {
    return filter.equals("urlencode") ? "value" : "s";
  }

  private static Function plain(String name, UnaryOperator<String> body) {
    return of(name, (e, v) -> mapped(v[0], body));
  }

  /** A text or markup as it is, anything else as a text. */
  static Object soft(Object value) {
    return Values.isText(value) ? value : Repr.str(value);
  }

  private static Object mapped(Object value, UnaryOperator<String> body) {
    return value instanceof Markup markup
        ? new Markup(body.apply(markup.text()))
        : body.apply(Repr.str(value));
  }

  private static String characters(Object argument) {
    if (argument != null && !Values.isText(argument)) {
      throw TemplateException.type("strip arg must be None or str");
    }
    return argument == null ? null : Repr.str(argument);
  }

  // words begin behind these, not behind apostrophes as with Python's own method
  private static String title(String text) {
    StringBuilder title = new StringBuilder(text.length());
    int start = 0;
    for (int i = 0; i <= text.length(); i++) {
      boolean end = i == text.length() || isBetweenWords(text.charAt(i));
      if (end) {
        title.append(titled(text.substring(start, i)));
        if (i < text.length()) {
          title.append(text.charAt(i));
        }
        start = i + 1;
      }
    }
    return title.toString();
  }

  private static boolean isBetweenWords(char c) {
    return "-({[<".indexOf(c) >= 0 || Whitespace.is(c);
  }

  private static String titled(String word) {
    if (word.isEmpty()) {
      return word;
    }
    int end = word.offsetByCodePoints(0, 1);
    return Letters.upper(word.substring(0, end)) + Letters.lower(word.substring(end));
  }

  private static Object replace(Environment environment, Object[] v) {
    long count = v[3] == null ? -1 : Numbers.size(v[3]);
    boolean marks = v[0] instanceof Markup || v[1] instanceof Markup || v[2] instanceof Markup;
    if (!environment.escaping() || !marks) {
      return Texts.replace(
          environment.budget(), Repr.str(v[0]), Repr.str(v[1]), Repr.str(v[2]), count);
    }
    boolean escapes =
        v[1] instanceof Markup || (v[2] instanceof Markup && !(v[0] instanceof Markup));
    if (!escapes && !(v[0] instanceof Markup)) {
      return Texts.replace(
          environment.budget(), Repr.str(v[0]), Repr.str(v[1]), Repr.str(v[2]), count);
    }
    Markup text = escapes ? Markup.escape(v[0]) : (Markup) v[0];
    return new Markup(
        Texts.replace(
            environment.budget(), text.text(), Repr.str(v[1]), Markup.escape(v[2]).text(), count));
  }

  private static Object format(Environment environment, Arguments arguments) {
    if (arguments.size() == 0) {
      throw TemplateException.type("format() lacks its argument 'value'");
    }
    boolean hasMore = arguments.size() > 1;
    if (hasMore && !arguments.named().isEmpty()) {
      throw Paths.wrong("can't handle positional and keyword arguments at the same time");
    }
    Object values;
    if (arguments.named().isEmpty()) {
      values = new Tuple(arguments.positional().subList(1, arguments.size()));
    } else {
      Dict named = new Dict();
      named.putAll(arguments.named());
      values = named;
    }
    return Printf.format(environment.budget(), soft(arguments.get(0)), values);
  }
}
