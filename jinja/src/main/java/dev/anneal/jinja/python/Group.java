package dev.anneal.jinja.python;

import java.util.Arrays;
import java.util.List;

/** What {@code groupby} gives: a tuple with the names {@code grouper} and {@code list}. */
public final class Group extends Tuple implements Attributed {
  public Group(Object grouper, List<Object> list) {
    super(Arrays.asList(grouper, list));
  }

  @Override
  public Object attribute(String name) {
    return switch (name) {
      case "grouper" -> items().get(0);
      case "list" -> items().get(1);
      default -> Attributes.ABSENT;
    };
  }
}
