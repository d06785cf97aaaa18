package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Dict;
import dev.anneal.jinja.python.DictView;
import dev.anneal.jinja.python.Equality;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.OneShot;
import dev.anneal.jinja.python.Operators;
import dev.anneal.jinja.python.Ordering;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.Slices;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Filters that go over the elements of something. */
final class SequenceFilters {
  private SequenceFilters() {}

  static void addTo(Map<String, Function> filters) {
    Function length = Function.unnamed("len", 1, (e, v) -> Iteration.length(v[0]));
    filters.put("length", length);
    filters.put("count", length);
    filters.put("first", of("first", "seq", (e, v) -> first(v[0])));
    filters.put("last", of("last", "seq", (e, v) -> last(v[0])));
    filters.put("list", of("list", "value", (e, v) -> Iteration.list(e.budget(), v[0])));
    filters.put("reverse", of("reverse", "value", (e, v) -> reverse(e.budget(), v[0])));
    filters.put("items", of("items", "value", (e, v) -> items(v[0])));
    filters.put("random", of("random", "seq", (e, v) -> random(v[0])));
    filters.put(
        "join",
        Function.of(
            Signature.of("join", "value").optional("d", "").optional("attribute", null),
            SequenceFilters::join));
    filters.put(
        "sum",
        Function.of(
            Signature.of("sum", "iterable").optional("attribute", null).optional("start", 0L),
            (e, v) -> sum(e.budget(), v)));
    filters.put(
        "batch",
        Function.of(
            Signature.of("batch", "value", "linecount").optional("fill_with", null),
            (e, v) -> batch(e.budget(), v)));
    filters.put(
        "slice",
        Function.of(
            Signature.of("slice", "value", "slices").optional("fill_with", null),
            (e, v) -> slice(e.budget(), v)));
  }

  private static Function of(String name, String parameter, Function.Body body) {
    return Function.of(Signature.of(name, parameter), body);
  }

  private static Object first(Object value) {
    Iterator<?> items = Iteration.of(value);
    return items.hasNext() ? items.next() : Undefined.because("No first item, sequence was empty.");
  }

  private static Object last(Object value) {
    OneShot reversed = Iteration.reversed(value);
    if (reversed == null) {
      throw TemplateException.type("'" + Values.typeName(value) + "' object is not reversible");
    }
    Iterator<Object> items = reversed.iterator();
    if (!items.hasNext()) {
      return Undefined.because("No last item, sequence was empty.");
    }
    Object last = items.next();
    return value instanceof Markup ? new Markup((String) last) : last;
  }

  private static Object reverse(Budget budget, Object value) {
    if (Values.isText(value)) {
      return Slices.of(value, null, null, -1L);
    }
    OneShot reversed = Iteration.reversed(value);
    if (reversed != null) {
      return reversed;
    }
    if (!Iteration.isIterable(value)) {
      throw Paths.wrong("argument must be iterable");
    }
    List<Object> items = Iteration.list(budget, value);
    Collections.reverse(items);
    return items;
  }

  private static Object items(Object value) {
    return Generators.of(
        "do_items",
        () -> {
          if (value instanceof Undefined) {
            return Collections.emptyIterator();
          }
          if (value instanceof Map<?, ?> map) {
            return new DictView(map, DictView.Part.ITEMS).iterator();
          }
          throw TemplateException.type("Can only get item pairs from a mapping.");
        });
  }

  private static Object random(Object value) {
    long size = Iteration.length(value);
    if (size == 0) {
      return Undefined.because("No random item, sequence was empty.");
    }
    if (!(value instanceof Map) && !Slices.isSliceable(value)) {
      throw TemplateException.type("random takes a sequence, not " + Values.typeName(value));
    }
    if (size > 1) {
      throw TemplateException.unsupported(
          "random takes another element each time, and a data set is to be the same each time");
    }
    if (value instanceof Map<?, ?> map && Dict.find(map, 0L) == Attributes.ABSENT) {
      throw TemplateException.lookup("there is no key 0");
    }
    return Attributes.item(value, 0L);
  }

  private static Object join(Environment environment, Object[] v) {
    UnaryOperator<Object> getter = v[2] == null ? item -> item : Paths.getter(v[2], null);
    List<Object> items = new ArrayList<>();
    boolean marks = v[1] instanceof Markup;
    for (Object item : Iteration.list(environment.budget(), v[0])) {
      Object value = getter.apply(item);
      items.add(value);
      marks |= value instanceof Markup;
    }
    boolean escapes = environment.escaping() && marks;
    StringBuilder text = new StringBuilder();
    String separator = escapes ? Markup.escape(v[1]).text() : Repr.str(v[1]);
    String next = "";
    for (Object item : items) {
      text.append(next).append(escapes ? Markup.escape(item).text() : Repr.str(item));
      next = separator;
      if (text.length() > Budget.MAX_TEXT) {
        environment.budget().text(text.length());
      }
    }
    environment.budget().text(text.length());
    return escapes ? new Markup(text.toString()) : text.toString();
  }

  private static Object sum(Budget budget, Object[] v) {
    if (Values.isText(v[2])) {
      throw TemplateException.type("sum() can't sum strings [use ''.join(seq) instead]");
    }
    UnaryOperator<Object> getter = v[1] == null ? item -> item : Paths.getter(v[1], null);
    Object sum = v[2];
    Iterator<?> items = Iteration.of(v[0]);
    while (items.hasNext()) {
      budget.step();
      sum = Operators.add(budget, sum, getter.apply(items.next()));
    }
    return sum;
  }

  private static Object batch(Budget budget, Object[] v) {
    return Generators.of(
        "do_batch",
        () -> {
          List<Object> batches = new ArrayList<>();
          List<Object> batch = new ArrayList<>();
          Iterator<?> items = Iteration.of(v[0]);
          while (items.hasNext()) {
            budget.step();
            if (Equality.same((long) batch.size(), v[1])) {
              batches.add(batch);
              batch = new ArrayList<>();
            }
            batch.add(items.next());
          }
          if (!batch.isEmpty()) {
            fill(budget, batch, v[1], v[2]);
            batches.add(batch);
          }
          return batches.iterator();
        });
  }

  private static void fill(Budget budget, List<Object> batch, Object count, Object filling) {
    if (filling == null || !Ordering.less((long) batch.size(), count)) {
      return;
    }
    int missing = Numbers.size(Operators.subtract(budget, count, (long) batch.size()));
    budget.elements(missing);
    for (int i = 0; i < missing; i++) {
      batch.add(filling);
    }
  }

  private static Object slice(Budget budget, Object[] v) {
    return Generators.of(
        "sync_do_slice",
        () -> {
          List<Object> items = Iteration.list(budget, v[0]);
          Operators.floorDivide((long) items.size(), v[1]);
          int slices = Numbers.size(v[1]);
          budget.elements(Math.max(0, slices));
          List<Object> result = new ArrayList<>();
          int offset = 0;
          for (int i = 0; i < slices; i++) {
            int each = items.size() / slices;
            int extra = items.size() % slices;
            int start = offset + i * each;
            offset += i < extra ? 1 : 0;
            List<Object> part = new ArrayList<>(items.subList(start, offset + (i + 1) * each));
            if (v[2] != null && i >= extra) {
              part.add(v[2]);
            }
            result.add(part);
          }
          return result.iterator();
        });
  }
}
