package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Letters;
import dev.anneal.jinja.python.NumberTexts;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** What {@code attribute="a.b.0"} asks for: {@code make_attrgetter}. */
final class Paths {
  private Paths() {}

  /** Asks for one path; {@code otherwise} stands for what is undefined unless it is null. */
  static UnaryOperator<Object> getter(Object attribute, Object otherwise) {
    List<Object> parts = parts(attribute);
    return item -> {
      Object value = item;
      for (Object part : parts) {
        value = Attributes.item(value, part);
        if (otherwise != null && value instanceof Undefined) {
          value = otherwise;
        }
      }
      return value;
    };
  }

  /** Asks for several paths with commas between them. */
  static UnaryOperator<Object> getters(Object attribute, UnaryOperator<Object> behind) {
    List<UnaryOperator<Object>> getters = new ArrayList<>();
    if (Values.isText(attribute)) {
      for (String path : Repr.str(attribute).split(",", -1)) {
        getters.add(getter(path, null));
      }
    } else {
      getters.add(getter(attribute, null));
    }
    return item -> {
      List<Object> values = new ArrayList<>(getters.size());
      getters.forEach(getter -> values.add(behind.apply(getter.apply(item))));
      return values;
    };
  }

  private static List<Object> parts(Object attribute) {
    List<Object> parts = new ArrayList<>();
    if (Values.isText(attribute)) {
      for (String part : Repr.str(attribute).split("\\.", -1)) {
        boolean number = !part.isEmpty() && part.codePoints().allMatch(Character::isDigit);
        parts.add(number ? NumberTexts.integer(part, 10) : part);
      }
    } else if (attribute != null) {
      parts.add(attribute);
    }
    return parts;
  }

  /** How values are compared where capital letters do not matter. */
  static UnaryOperator<Object> folding(Object caseSensitive) {
    return Values.truth(caseSensitive) ? value -> value : Paths::lower;
  }

  private static Object lower(Object value) {
    return Values.isText(value) ? Letters.lower(Repr.str(value)) : value;
  }

  /** What a filter says of arguments that make no sense. */
  static TemplateException wrong(String message) {
    return TemplateException.runtime(message);
  }
}
