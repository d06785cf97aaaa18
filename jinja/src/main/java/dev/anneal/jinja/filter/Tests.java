package dev.anneal.jinja.filter;

import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Callable;
import dev.anneal.jinja.python.Equality;
import dev.anneal.jinja.python.Identity;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Key;
import dev.anneal.jinja.python.Letters;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Operators;
import dev.anneal.jinja.python.Ordering;
import dev.anneal.jinja.python.Range;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.Tuple;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiPredicate;
import java.util.function.Predicate;

/** Tests by name. */
public final class Tests {
  private static final Map<String, Predicate<Object>> SIMPLE = simple();
  private static final Map<String, Function> ALL = all();

  private Tests() {}

  private static Map<String, Predicate<Object>> simple() {
    Map<String, Predicate<Object>> tests = new HashMap<>();
    tests.put("defined", value -> !(value instanceof Undefined));
    tests.put("undefined", value -> value instanceof Undefined);
    tests.put("none", value -> value == null);
    tests.put("boolean", value -> value instanceof Boolean);
    tests.put("true", value -> Boolean.TRUE.equals(value));
    tests.put("false", value -> Boolean.FALSE.equals(value));
    tests.put("integer", value -> Values.isInteger(value) && !(value instanceof Boolean));
    tests.put("float", value -> value instanceof Double);
    tests.put("number", Numbers::isNumber);
    tests.put("string", Values::isText);
    tests.put("mapping", value -> value instanceof Map);
    tests.put(
        "iterable", value -> Iteration.isIterable(value) || value instanceof Attributes.Elements);
    tests.put("sequence", Tests::isSequence);
    tests.put("callable", value -> value instanceof Callable || value instanceof Undefined);
    tests.put("escaped", value -> value instanceof Markup);
    tests.put("odd", value -> rest(value, 1L));
    tests.put("even", value -> rest(value, 0L));
    tests.put("lower", value -> Letters.isLower(Repr.str(value)));
    tests.put("upper", value -> Letters.isUpper(Repr.str(value)));
    tests.put("filter", value -> exists(name -> Filters.find(name) != null, value));
    tests.put("test", value -> exists(name -> find(name) != null, value));
    return tests;
  }

  private static Map<String, Function> all() {
    Map<String, Function> tests = new HashMap<>();
    SIMPLE.forEach(
        (name, test) ->
            tests.put(
                name,
                name.equals("callable")
                    ? Function.unnamed(name, 1, (e, v) -> test.test(v[0]))
                    : Function.of(Signature.of(name, "value"), (e, v) -> test.test(v[0]))));
    tests.put(
        "divisibleby",
        Function.of(
            Signature.of("divisibleby", "value", "num"),
            (e, v) -> Equality.same(Operators.modulo(e.budget(), v[0], v[1]), 0L)));
    tests.put(
        "sameas",
        Function.of(
            Signature.of("sameas", "value", "other"), (e, v) -> Identity.isSame(v[0], v[1])));
    tests.put(
        "in",
        Function.of(Signature.of("in", "value", "seq"), (e, v) -> Operators.contains(v[1], v[0])));
    add(tests, Equality::same, "==", "eq", "equalto");
    add(tests, (a, b) -> !Equality.same(a, b), "!=", "ne");
    add(tests, (a, b) -> Ordering.holds(Ordering.Sign.GT, a, b), ">", "gt", "greaterthan");
    add(tests, (a, b) -> Ordering.holds(Ordering.Sign.GTEQ, a, b), ">=", "ge");
    add(tests, (a, b) -> Ordering.holds(Ordering.Sign.LT, a, b), "<", "lt", "lessthan");
    add(tests, (a, b) -> Ordering.holds(Ordering.Sign.LTEQ, a, b), "<=", "le");
    return Map.copyOf(tests);
  }

  private static void add(
      Map<String, Function> tests, BiPredicate<Object, Object> test, String... names) {
    for (String name : List.of(names)) {
      tests.put(name, Function.unnamed(name, 2, (e, v) -> test.test(v[0], v[1])));
    }
  }

  /** The test of that name; null if there is none. */
  public static Function find(String name) {
    return ALL.get(name);
  }

  /** The test of that name if it needs no argument; else null. */
  public static Predicate<Object> simple(String name) {
    return SIMPLE.get(name);
  }

  // of a text it is the text with a two put into it
  private static boolean rest(Object value, long expected) {
    return Equality.same(Operators.modulo(new Budget(Duration.ofSeconds(1)), value, 2L), expected);
  }

  private static boolean isSequence(Object value) {
    return value instanceof List
        || value instanceof Map
        || value instanceof Tuple
        || value instanceof Range
        || value instanceof Undefined
        || Values.isText(value);
  }

  private static boolean exists(Predicate<String> known, Object name) {
    Key.of(name);
    return Values.isText(name) && known.test(Repr.str(name));
  }
}
