package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;

/** Python's {@code <} and its like, and {@code sorted}. */
public final class Ordering {
  private Ordering() {}

  /** How two values are compared. */
  public enum Sign {
    LT("<"),
    LTEQ("<="),
    GT(">"),
    GTEQ(">=");

    private final String text;

    Sign(String text) {
      this.text = text;
    }

    private boolean holds(int comparison) {
      return switch (this) {
        case LT -> comparison < 0;
        case LTEQ -> comparison <= 0;
        case GT -> comparison > 0;
        case GTEQ -> comparison >= 0;
      };
    }
  }

  public static boolean less(Object a, Object b) {
    return holds(Sign.LT, a, b);
  }

  public static boolean holds(Sign sign, Object a, Object b) {
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      return !Numbers.isNaN(a) && !Numbers.isNaN(b) && sign.holds(Numbers.compare(a, b));
    }
    if (Values.isText(a) && Values.isText(b)) {
      return sign.holds(Texts.compare(Repr.str(a), Repr.str(b)));
    }
    if (a instanceof List<?> first && b instanceof List<?> second) {
      return listsHold(sign, first, second);
    }
    if (a instanceof Tuple first && b instanceof Tuple second) {
      return listsHold(sign, first.items(), second.items());
    }
    if (PythonSet.isLike(a) && PythonSet.isLike(b)) {
      boolean less = sign == Sign.LT || sign == Sign.LTEQ;
      return sign.holds(Integer.compare(Iteration.size(a), Iteration.size(b)))
          && (less ? PythonSet.isSubset(a, b) : PythonSet.isSubset(b, a));
    }
    if (a instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (b instanceof Undefined undefined) {
      throw undefined.error();
    }
    throw TemplateException.type(
        "'%s' not supported between instances of '%s' and '%s'"
            .formatted(sign.text, Values.typeName(a), Values.typeName(b)));
  }

  private static boolean listsHold(Sign sign, List<?> a, List<?> b) {
    Iterator<?> others = b.iterator();
    for (Object item : a) {
      if (!others.hasNext()) {
        break;
      }
      Object other = others.next();
      if (item != other && !Equality.same(item, other)) {
        return holds(sign, item, other);
      }
    }
    return sign.holds(Integer.compare(a.size(), b.size()));
  }

  /** The elements in the order of their keys, those of equal keys as they stand. */
  public static List<Object> sorted(
      Budget budget, List<Object> items, Function<Object, Object> key, boolean reverse) {
    record Keyed(Object key, Object item) {}
    List<Keyed> keyed = new ArrayList<>(items.size());
    for (Object item : items) {
      keyed.add(new Keyed(key.apply(item), item));
    }
    if (reverse) {
      Collections.reverse(keyed);
    }
    Keyed[] sorted = keyed.toArray(new Keyed[0]);
    sort(budget, sorted, (a, b) -> less(a.key(), b.key()));
    List<Object> result = new ArrayList<>(items.size());
    for (Keyed k : sorted) {
      result.add(k.item());
    }
    if (reverse) {
      Collections.reverse(result);
    }
    return result;
  }

  private interface Less<T> {
    boolean test(T a, T b);
  }

  // Java's own sort objects to values without an order, such as not-a-number
  private static <T> void sort(Budget budget, T[] items, Less<T> less) {
    T[] spare = items.clone();
    merge(budget, items, spare, 0, items.length, less);
  }

  private static <T> void merge(
      Budget budget, T[] items, T[] spare, int from, int to, Less<T> less) {
    budget.step();
    if (to - from <= 32) {
      insert(items, from, to, less);
      return;
    }
    int middle = (from + to) >>> 1;
    merge(budget, items, spare, from, middle, less);
    merge(budget, items, spare, middle, to, less);
    System.arraycopy(items, from, spare, from, to - from);
    int left = from;
    int right = middle;
    for (int i = from; i < to; i++) {
      boolean takeRight = left >= middle || (right < to && less.test(spare[right], spare[left]));
      items[i] = takeRight ? spare[right++] : spare[left++];
    }
  }

  // CPython's binary insertion
  private static <T> void insert(T[] items, int from, int to, Less<T> less) {
    for (int i = from + 1; i < to; i++) {
      T pivot = items[i];
      int left = from;
      int right = i;
      while (left < right) {
        int middle = (left + right) >>> 1;
        if (less.test(pivot, items[middle])) {
          right = middle;
        } else {
          left = middle + 1;
        }
      }
      System.arraycopy(items, left, items, left + 1, i - left);
      items[left] = pivot;
    }
  }
}
