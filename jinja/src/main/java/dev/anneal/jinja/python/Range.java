package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.error.TemplateException.Kind;
import java.math.BigInteger;
import java.util.Iterator;

/** Python's range, of at most a hundred thousand steps, as Jinja's sandbox has it. */
public record Range(long start, long stop, long step, int size) implements Sized, Iterable<Object> {
  private static final int MAX_SIZE = 100_000;

  /** The function {@code range}. */
  public static Object of(Arguments arguments) {
    arguments.require("range", 1, 3);
    long[] numbers = new long[arguments.size()];
    for (int i = 0; i < numbers.length; i++) {
      Object number = Numbers.index(arguments.get(i));
      numbers[i] = number instanceof BigInteger big ? clamp(big) : (Long) number;
    }
    return switch (numbers.length) {
      case 1 -> of(0, numbers[0], 1);
      case 2 -> of(numbers[0], numbers[1], 1);
      default -> of(numbers[0], numbers[1], numbers[2]);
    };
  }

  private static long clamp(BigInteger number) {
    return number.signum() < 0 ? Long.MIN_VALUE / 4 : Long.MAX_VALUE / 4;
  }

  static Range of(long start, long stop, long step) {
    if (step == 0) {
      throw TemplateException.value("range() arg 3 must not be zero");
    }
    BigInteger distance = BigInteger.valueOf(stop).subtract(BigInteger.valueOf(start));
    BigInteger stride = BigInteger.valueOf(step);
    BigInteger steps =
        distance.signum() * stride.signum() <= 0
            ? BigInteger.ZERO
            : distance.add(stride).subtract(BigInteger.valueOf(stride.signum())).divide(stride);
    if (steps.compareTo(BigInteger.valueOf(MAX_SIZE)) > 0) {
      throw new TemplateException(
          Kind.OVERFLOW, "range of more than " + MAX_SIZE + " steps: the sandbox takes none");
    }
    return new Range(start, stop, step, steps.intValue());
  }

  long at(int index) {
    return start + index * step;
  }

  /** An attribute that is no method; absent if there is none. */
  Object attribute(String name) {
    return switch (name) {
      case "start" -> start;
      case "stop" -> stop;
      case "step" -> step;
      default -> Attributes.ABSENT;
    };
  }

  boolean contains(Object value) {
    Object number = value instanceof Boolean truth ? (Object) (truth ? 1L : 0L) : value;
    if (number instanceof Double real && real == Math.rint(real) && Math.abs(real) < 0x1p62) {
      number = real.longValue();
    }
    if (!(number instanceof Long index) || size == 0) {
      return false;
    }
    boolean inside = step > 0 ? index >= start && index < stop : index <= start && index > stop;
    return inside && (index - start) % step == 0;
  }

  Range slice(int from, int to, int by, int count) {
    return new Range(at(from), at(to), step * by, count);
  }

  @Override
  public Iterator<Object> iterator() {
    return new Iterator<>() {
      private int next;

      @Override
      public boolean hasNext() {
        return next < size;
      }

      @Override
      public Object next() {
        return at(next++);
      }
    };
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Range range
        && size == range.size
        && (size == 0 || start == range.start)
        && (size < 2 || step == range.step);
  }

  @Override
  public int hashCode() {
    return size;
  }
}
