package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/** Python's {@code value[start:stop:step]}. */
public final class Slices {
  private Slices() {}

  /** Whether {@link #of} takes it. */
  public static boolean isSliceable(Object value) {
    return Values.isText(value)
        || value instanceof List
        || value instanceof Tuple
        || value instanceof Range;
  }

  public static Object of(Object value, Object start, Object stop, Object step) {
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!isSliceable(value)) {
      // mappings take slices for keys that cannot be hashed
      throw TemplateException.type(
          "'" + Values.typeName(value) + "' object is not subscriptable by a slice");
    }
    Bounds bounds = Bounds.of(Iteration.size(value), start, stop, step);
    if (value instanceof String text) {
      return text(text, bounds);
    }
    if (value instanceof Markup markup) {
      return new Markup(text(markup.text(), bounds));
    }
    if (value instanceof Range range) {
      return range.slice(bounds.start(), bounds.stop(), bounds.step(), bounds.count());
    }
    List<?> items = value instanceof Tuple tuple ? tuple.items() : (List<?>) value;
    List<Object> part = new ArrayList<>(bounds.count());
    bounds.forEach(i -> part.add(items.get(i)));
    return value instanceof Tuple ? new Tuple(part) : part;
  }

  private static String text(String text, Bounds bounds) {
    if (bounds.step() == 1) {
      return Texts.part(text, bounds.start(), bounds.start() + bounds.count());
    }
    List<Object> characters = Texts.characters(text);
    StringBuilder part = new StringBuilder();
    bounds.forEach(i -> part.append((String) characters.get(i)));
    return part.toString();
  }

  private record Bounds(int start, int stop, int count, int step) {

    static Bounds of(int size, Object start, Object stop, Object step) {
      int by = step == null ? 1 : cut(step);
      if (by == 0) {
        throw TemplateException.value("slice step cannot be zero");
      }
      int least = by < 0 ? -1 : 0;
      int most = by < 0 ? size - 1 : size;
      int from = start == null ? (by < 0 ? most : least) : inside(cut(start), size, least, most);
      int to = stop == null ? (by < 0 ? least : most) : inside(cut(stop), size, least, most);
      long distance = by < 0 ? (long) from - to : (long) to - from;
      long stride = Math.abs((long) by);
      return new Bounds(from, to, (int) Math.max(0, (distance + stride - 1) / stride), by);
    }

    private static int inside(int index, int size, int least, int most) {
      long place = index < 0 ? (long) index + size : index;
      return (int) Math.max(least, Math.min(most, place));
    }

    // beyond all texts and lists it does not matter how far
    private static int cut(Object value) {
      if (!Values.isInteger(value)) {
        if (value instanceof Undefined) {
          throw TemplateException.type("slice indices must be integers, and one is undefined");
        }
        throw TemplateException.type(
            "slice indices must be integers or None, not " + Values.typeName(value));
      }
      BigInteger index = Numbers.big(Numbers.index(value));
      int far = 1 << 29;
      return index.bitLength() > 29 ? index.signum() * far : index.intValue();
    }

    void forEach(IntConsumer action) {
      for (int i = 0; i < count; i++) {
        action.accept(start + i * step);
      }
    }
  }
}
