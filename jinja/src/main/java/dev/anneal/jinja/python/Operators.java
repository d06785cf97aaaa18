package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Python's operators. */
public final class Operators {
  private Operators() {}

  public static Object add(Budget budget, Object a, Object b) {
    if (a instanceof String x && b instanceof String y) {
      budget.text((long) x.length() + y.length());
      return x.concat(y);
    }
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      return Numbers.add(a, b);
    }
    if (Values.isText(a) && Values.isText(b)) {
      String sum = Markup.escape(a).text() + Markup.escape(b).text();
      budget.text(sum.length());
      return new Markup(sum);
    }
    if (a instanceof List<?> x && b instanceof List<?> y) {
      return joined(budget, x, y);
    }
    if (a instanceof Tuple x && b instanceof Tuple y) {
      return new Tuple(joined(budget, x.items(), y.items()));
    }
    throw unsupported("+", a, b);
  }

  private static List<Object> joined(Budget budget, List<?> a, List<?> b) {
    budget.elements((long) a.size() + b.size());
    List<Object> sum = new ArrayList<>(a.size() + b.size());
    sum.addAll(a);
    sum.addAll(b);
    return sum;
  }

  public static Object subtract(Budget budget, Object a, Object b) {
    if (isSetDifference(a, b)) {
      return PythonSet.difference(budget, a, b);
    }
    requireNumbers("-", a, b);
    return Numbers.subtract(a, b);
  }

  // a view takes whatever has elements on its other side, a set only a set
  private static boolean isSetDifference(Object a, Object b) {
    if (a instanceof PythonSet && b instanceof PythonSet) {
      return true;
    }
    boolean view =
        (a instanceof DictView && PythonSet.isLike(a))
            || (b instanceof DictView && PythonSet.isLike(b));
    return view && !(a instanceof Undefined);
  }

  public static Object multiply(Budget budget, Object a, Object b) {
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      return Numbers.multiply(a, b);
    }
    if (isSequence(a) && Values.isInteger(b)) {
      return repeated(budget, a, Numbers.size(b));
    }
    if (Values.isInteger(a) && isSequence(b)) {
      return repeated(budget, b, Numbers.size(a));
    }
    throw unsupported("*", a, b);
  }

  private static boolean isSequence(Object value) {
    return Values.isText(value) || value instanceof List || value instanceof Tuple;
  }

  private static Object repeated(Budget budget, Object value, int times) {
    if (value instanceof String text) {
      return Texts.repeat(budget, text, times);
    }
    if (value instanceof Markup markup) {
      return new Markup(Texts.repeat(budget, markup.text(), times));
    }
    List<?> items = value instanceof Tuple tuple ? tuple.items() : (List<?>) value;
    budget.elements((long) items.size() * Math.max(0, times));
    List<Object> result = new ArrayList<>();
    for (int i = 0; i < times && !items.isEmpty(); i++) {
      result.addAll(items);
    }
    return value instanceof Tuple ? new Tuple(result) : result;
  }

  public static Object divide(Object a, Object b) {
    requireNumbers("/", a, b);
    return Numbers.divide(a, b);
  }

  public static Object floorDivide(Object a, Object b) {
    requireNumbers("//", a, b);
    return Numbers.floorDivide(a, b);
  }

  public static Object modulo(Budget budget, Object a, Object b) {
    if (Values.isText(a)) {
      return Printf.format(budget, a, b);
    }
    requireNumbers("%", a, b);
    return Numbers.modulo(a, b);
  }

  public static Object power(Object a, Object b) {
    requireNumbers("** or pow()", a, b);
    return Numbers.power(a, b);
  }

  public static Object negative(Object value) {
    return Numbers.negate(number("-", value));
  }

  public static Object positive(Object value) {
    Object number = number("+", value);
    return number instanceof Boolean truth ? (truth ? 1L : 0L) : number;
  }

  private static Object number(String operator, Object value) {
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!Numbers.isNumber(value)) {
      throw TemplateException.type(
          "bad operand type for unary " + operator + ": '" + Values.typeName(value) + "'");
    }
    return value;
  }

  private static void requireNumbers(String operator, Object a, Object b) {
    if (!Numbers.isNumber(a) || !Numbers.isNumber(b)) {
      throw unsupported(operator, a, b);
    }
  }

  private static TemplateException unsupported(String operator, Object a, Object b) {
    if (a instanceof Undefined undefined) {
      return undefined.error();
    }
    if (b instanceof Undefined undefined) {
      return undefined.error();
    }
    return TemplateException.type(
        "unsupported operand types for %s: '%s' and '%s', which take no such operator"
            .formatted(operator, Values.typeName(a), Values.typeName(b)));
  }

  /** Python's {@code in}. */
  public static boolean contains(Object container, Object item) {
    if (Values.isText(container)) {
      if (!Values.isText(item)) {
        throw TemplateException.type(
            "'in <string>' requires string as left operand, not " + Values.typeName(item));
      }
      return Repr.str(container).contains(Repr.str(item));
    }
    if (container instanceof Map<?, ?> map) {
      return Dict.find(map, item) != Attributes.ABSENT;
    }
    if (container instanceof Range range && Numbers.isNumber(item)) {
      return range.contains(item);
    }
    if (container instanceof DictView view) {
      return view.contains(item);
    }
    if (container instanceof PythonSet set) {
      return set.contains(item);
    }
    if (!Iteration.isIterable(container)) {
      throw TemplateException.type(
          "argument of type '" + Values.typeName(container) + "' is not iterable");
    }
    Iterator<?> items = Iteration.of(container);
    while (items.hasNext()) {
      Object other = items.next();
      if (other == item || Equality.same(other, item)) {
        return true;
      }
    }
    return false;
  }
}
