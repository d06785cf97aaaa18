package dev.anneal.jinja.python;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What holds for all values. */
public final class Values {
  private Values() {}

  /**
   * A value from outside as templates see it: numbers of other types become those of templates.
   *
   * @throws IllegalArgumentException if it is none of those that a template takes
   */
  public static Object of(Object value) {
    if (value == null
        || value instanceof String
        || value instanceof Boolean
        || value instanceof Long
        || value instanceof Double) {
      return value;
    }
    if (value instanceof Map<?, ?> map) {
      return ofMap(map);
    }
    if (value instanceof List<?> list) {
      return ofList(list);
    }
    if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
      return ((Number) value).longValue();
    }
    if (value instanceof Float number) {
      return number.doubleValue();
    }
    if (value instanceof BigInteger number) {
      return Numbers.shortest(number);
    }
    if (value instanceof Tuple || value instanceof Markup || value instanceof Range) {
      return value;
    }
    throw new IllegalArgumentException(
        "a template takes no " + value.getClass().getSimpleName() + ": give it a text");
  }

  // copies only what has to be changed
  private static Object ofMap(Map<?, ?> map) {
    if (map instanceof Dict) {
      return map;
    }
    boolean same = true;
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      same &= entry.getKey() instanceof String && of(entry.getValue()) == entry.getValue();
    }
    if (same) {
      return map;
    }
    Dict dict = new Dict();
    map.forEach((key, value) -> dict.put(of(key), of(value)));
    return dict;
  }

  private static Object ofList(List<?> list) {
    boolean same = true;
    for (Object item : list) {
      same &= of(item) == item;
    }
    if (same) {
      return list;
    }
    List<Object> values = new ArrayList<>(list.size());
    list.forEach(item -> values.add(of(item)));
    return values;
  }

  /** Whether {@code if} takes it for true. */
  public static boolean truth(Object value) {
    if (value instanceof Boolean truth) {
      return truth;
    }
    if (value == null || value instanceof Undefined) {
      return false;
    }
    if (value instanceof String text) {
      return !text.isEmpty();
    }
    if (value instanceof List<?> list) {
      return !list.isEmpty();
    }
    if (value instanceof Map<?, ?> map) {
      return !map.isEmpty();
    }
    if (value instanceof Long number) {
      return number != 0;
    }
    if (value instanceof Double number) {
      return number != 0;
    }
    if (value instanceof Sized sized) {
      return sized.size() > 0;
    }
    return !(value instanceof Markup markup) || !markup.text().isEmpty();
  }

  /** Whether it is a text, escaped or not. */
  public static boolean isText(Object value) {
    return value instanceof String || value instanceof Markup;
  }

  /** Whether it is one of Python's integers, truth values among them. */
  public static boolean isInteger(Object value) {
    return value instanceof Long || value instanceof Boolean || value instanceof BigInteger;
  }

  /** The name of its class in Python. */
  public static String typeName(Object value) {
    if (value == null) {
      return "NoneType";
    }
    if (value instanceof Boolean) {
      return "bool";
    }
    if (isInteger(value)) {
      return "int";
    }
    if (value instanceof Double) {
      return "float";
    }
    if (value instanceof String) {
      return "str";
    }
    if (value instanceof List) {
      return "list";
    }
    if (value instanceof Map) {
      return "dict";
    }
    if (value instanceof Group) {
      return "_GroupTuple";
    }
    if (value instanceof DictView view) {
      return "dict_" + view.part().name().toLowerCase(Locale.ROOT);
    }
    if (value instanceof PythonSet) {
      return "set";
    }
    if (value instanceof OneShot shot) {
      return shot.isGenerator() ? "generator" : shot.type();
    }
    if (value instanceof BoundMethod) {
      return "builtin_function_or_method";
    }
    String name = value.getClass().getSimpleName();
    return value instanceof Tuple || value instanceof Range ? name.toLowerCase(Locale.ROOT) : name;
  }
}
