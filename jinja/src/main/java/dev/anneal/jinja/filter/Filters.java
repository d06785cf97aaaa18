package dev.anneal.jinja.filter;

import java.util.HashMap;
import java.util.Map;

/** Filters by name. */
public final class Filters {
  private static final Map<String, Function> ALL = all();

  private Filters() {}

  private static Map<String, Function> all() {
    Map<String, Function> all = new HashMap<>();
    TextFilters.addTo(all);
    LayoutFilters.addTo(all);
    MarkupFilters.addTo(all);
    NumberFilters.addTo(all);
    SequenceFilters.addTo(all);
    OrderFilters.addTo(all);
    SelectionFilters.addTo(all);
    ValueFilters.addTo(all);
    return Map.copyOf(all);
  }

  /** The filter of that name; null if there is none. */
  public static Function find(String name) {
    return ALL.get(name);
  }
}
