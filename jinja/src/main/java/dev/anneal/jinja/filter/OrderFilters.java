package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.DictView;
import dev.anneal.jinja.python.Equality;
import dev.anneal.jinja.python.Group;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Key;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Ordering;
import dev.anneal.jinja.python.PythonSet;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.Tuple;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/** Filters that order, group and compare. */
final class OrderFilters {
  private OrderFilters() {}

  static void addTo(Map<String, Function> filters) {
    filters.put(
        "sort",
        Function.of(
            Signature.of("sort", "value")
                .optional("reverse", false)
                .optional("case_sensitive", false)
                .optional("attribute", null),
            (e, v) -> sort(e.budget(), v)));
    filters.put(
        "dictsort",
        Function.of(
            Signature.of("dictsort", "value")
                .optional("case_sensitive", false)
                .optional("by", "key")
                .optional("reverse", false),
            (e, v) -> dictSort(e.budget(), v)));
    filters.put(
        "unique",
        Function.of(
            Signature.of("unique", "value")
                .optional("case_sensitive", false)
                .optional("attribute", null),
            (e, v) -> unique(v)));
    filters.put("min", Function.of(extreme("min"), (e, v) -> extreme(v, false)));
    filters.put("max", Function.of(extreme("max"), (e, v) -> extreme(v, true)));
    filters.put(
        "groupby",
        Function.of(
            Signature.of("groupby", "value", "attribute")
                .optional("default", null)
                .optional("case_sensitive", false),
            (e, v) -> groupBy(e.budget(), v)));
  }

  private static Signature extreme(String name) {
    return Signature.of(name, "value")
        .optional("case_sensitive", false)
        .optional("attribute", null);
  }

  private static Object sort(Budget budget, Object[] v) {
    UnaryOperator<Object> key = Paths.getters(v[3], Paths.folding(v[2]));
    List<Object> items = PythonSet.unordered(budget, v[0]);
    List<Object> sorted = Ordering.sorted(budget, items, key, reversed(v[1]));
    if (v[0] instanceof PythonSet) {
      requireDistinct(sorted, key, reversed(v[1]));
    }
    return sorted;
  }

  // those of equal keys stay as they stood
  private static void requireDistinct(
      List<Object> sorted, UnaryOperator<Object> key, boolean reversed) {
    for (int i = 1; i < sorted.size(); i++) {
      Object before = key.apply(sorted.get(reversed ? i : i - 1));
      Object after = key.apply(sorted.get(reversed ? i - 1 : i));
      PythonSet.requireOrder(Ordering.less(before, after));
    }
  }

  private static boolean reversed(Object value) {
    return Numbers.size(value) != 0;
  }

  private static Object dictSort(Budget budget, Object[] v) {
    int place =
        Values.isText(v[2]) && Repr.str(v[2]).equals("key")
            ? 0
            : Values.isText(v[2]) && Repr.str(v[2]).equals("value") ? 1 : -1;
    if (place < 0) {
      throw Paths.wrong("You can only sort by either \"key\" or \"value\"");
    }
    if (v[0] instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!(v[0] instanceof Map<?, ?> map)) {
      throw TemplateException.type("dictsort takes a mapping, not " + Values.typeName(v[0]));
    }
    UnaryOperator<Object> folding = Paths.folding(v[1]);
    return Ordering.sorted(
        budget,
        Iteration.list(budget, new DictView(map, DictView.Part.ITEMS)),
        item -> folding.apply(((Tuple) item).items().get(place)),
        reversed(v[3]));
  }

  private static UnaryOperator<Object> key(
      Object attribute, Object caseSensitive, Object otherwise) {
    UnaryOperator<Object> getter = Paths.getter(attribute, otherwise);
    UnaryOperator<Object> folding = Paths.folding(caseSensitive);
    return item -> folding.apply(getter.apply(item));
  }

  private static Object unique(Object[] v) {
    UnaryOperator<Object> key = key(v[2], v[1], null);
    return Generators.of(
        "sync_do_unique",
        () -> {
          Set<Object> seen = new HashSet<>();
          return Filtered.of(Iteration.of(v[0]), item -> seen.add(Key.of(key.apply(item))));
        });
  }

  private static Object extreme(Object[] v, boolean greatest) {
    UnaryOperator<Object> key = key(v[2], v[1], null);
    Iterator<?> items = Iteration.of(v[0]);
    if (!items.hasNext()) {
      return Undefined.because("No aggregated item, sequence was empty.");
    }
    Object best = items.next();
    Object bestKey = key.apply(best);
    while (items.hasNext()) {
      Object item = items.next();
      Object itemKey = key.apply(item);
      Ordering.Sign sign = greatest ? Ordering.Sign.GT : Ordering.Sign.LT;
      if (Ordering.holds(sign, itemKey, bestKey)) {
        best = item;
        bestKey = itemKey;
      }
    }
    return best;
  }

  private static Object groupBy(Budget budget, Object[] v) {
    UnaryOperator<Object> key = key(v[1], v[3], v[2]);
    UnaryOperator<Object> shown = Paths.getter(v[1], v[2]);
    List<Object> sorted = Ordering.sorted(budget, Iteration.list(budget, v[0]), key, false);
    List<Object> groups = new ArrayList<>();
    List<Object> group = new ArrayList<>();
    Object groupKey = null;
    for (Object item : sorted) {
      Object itemKey = key.apply(item);
      if (!group.isEmpty() && !(groupKey == itemKey || Equality.same(groupKey, itemKey))) {
        groups.add(new Group(shown.apply(group.get(0)), group));
        group = new ArrayList<>();
      }
      if (group.isEmpty()) {
        groupKey = itemKey;
      }
      group.add(item);
    }
    if (!group.isEmpty()) {
      groups.add(new Group(shown.apply(group.get(0)), group));
    }
    return groups;
  }
}
