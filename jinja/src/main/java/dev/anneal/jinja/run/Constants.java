package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Key;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Range;
import dev.anneal.jinja.python.Tuple;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Helper;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** What Jinja evaluates before a template is run: {@code as_const} of {@code nodes.py}. */
final class Constants {
  private static final Duration MAX_TIME = Duration.ofSeconds(1);

  private Constants() {}

  /** Stands for what depends on the variables. */
  static final Code IMPOSSIBLE =
      frame -> {
        throw TemplateException.runtime("it depends on the variables");
      };

  /** Whether a filter asks for the variables. */
  static boolean isOfContext(String filter) {
    return switch (filter) {
      case "map", "select", "reject", "selectattr", "rejectattr", "random" -> true;
      default -> false;
    };
  }

  /** The value; {@link Attributes#ABSENT} if it depends on the variables or fails. */
  static Object value(Code code, boolean escaping) {
    try {
      return evaluate(code, escaping);
    } catch (TemplateException e) {
      // it fails when it is reached
      return Attributes.ABSENT;
    }
  }

  /**
   * The value.
   *
   * @throws TemplateException if it depends on the variables or fails
   */
  static Object evaluate(Code code, boolean escaping) {
    Run run = new Run(new Budget(MAX_TIME), Map.of());
    run.setEscaping(escaping);
    Context context = new Context(Map.of(), Map.of());
    return code.value(new Frame(new FunctionScope(null), null, run, context));
  }

  /** Whether Jinja can write the value into Python's text, which has no name for infinity. */
  static boolean isWritable(Object value) {
    if (value instanceof List<?> list) {
      return list.stream().allMatch(Constants::isWritable);
    }
    if (value instanceof Tuple tuple) {
      return tuple.items().stream().allMatch(Constants::isWritable);
    }
    return !(value instanceof Double number) || Double.isFinite(number);
  }

  /** Whether the value is one that Jinja puts in the place of an expression. */
  static boolean isPlain(Object value) {
    if (value instanceof List<?> list) {
      return list.stream().allMatch(Constants::isPlain);
    }
    if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream().allMatch(e -> isPlain(e.getKey()) && isPlain(e.getValue()));
    }
    if (value instanceof Tuple tuple) {
      return tuple.getClass() == Tuple.class && tuple.items().stream().allMatch(Constants::isPlain);
    }
    return value == null
        || value instanceof String
        || value instanceof Markup
        || value instanceof Range
        || Numbers.isNumber(value);
  }

  /** Whether it is a number that is written with a minus. */
  static boolean isNegative(Object value) {
    return Numbers.isNumber(value)
        && !(value instanceof Boolean)
        && Values.truth(value)
        && Numbers.real(value) < 0;
  }

  /**
   * Refuses a constant mapping with a key that cannot be hashed in a part of an expression, which
   * Jinja evaluates even where it is never reached.
   *
   * @param constant the value of an expression as {@link #value} gives it
   */
  static void requireHashableKeys(Expression expression, Function<Expression, Object> constant) {
    NameSearch.forEach(
        expression,
        node -> {
          if (node instanceof Expression.DictLiteral dict) {
            requireHashable(dict, constant);
          }
        });
  }

  /** The same for a literal itself, whose elements are evaluated up to one that is no constant. */
  static void requireHashableLiteral(Expression literal, Function<Expression, Object> constant) {
    if (literal instanceof Expression.DictLiteral dict) {
      requireHashable(dict, constant);
      return;
    }
    List<Expression> items =
        literal instanceof Expression.ListLiteral list
            ? list.items()
            : literal instanceof Expression.TupleLiteral tuple ? tuple.items() : List.of();
    for (Expression item : items) {
      requireHashableLiteral(item, constant);
      if (constant.apply(item) == Attributes.ABSENT) {
        return;
      }
    }
  }

  private static void requireHashable(
      Expression.DictLiteral dict, Function<Expression, Object> constant) {
    if (fails(dict, constant)) {
      throw Compiler.error("a key of the mapping is unhashable", dict);
    }
  }

  private static boolean fails(Expression.DictLiteral dict, Function<Expression, Object> constant) {
    for (Helper.Pair pair : dict.items()) {
      Object key = constant.apply(pair.key());
      if (key == Attributes.ABSENT || constant.apply(pair.value()) == Attributes.ABSENT) {
        return false;
      }
      if (!Key.isHashable(key)) {
        return true;
      }
    }
    return false;
  }
}
