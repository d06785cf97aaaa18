package dev.anneal.jinja.run;

import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Node;
import dev.anneal.jinja.syntax.Statement;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** Looks for names and statements in a part of a template. */
final class NameSearch {
  private final Set<String> sought;
  private final Set<String> found = new HashSet<>();

  private NameSearch(String... names) {
    this.sought = new HashSet<>(List.of(names));
  }

  /** Those of the names that are used without being set before. */
  static Set<String> undeclared(List<? extends Node> nodes, String... names) {
    NameSearch search = new NameSearch(names);
    nodes.forEach(search::visit);
    return search.found;
  }

  private void visit(Node node) {
    if (node instanceof Expression.Name name) {
      if (name.use() == Expression.Use.LOAD && sought.contains(name.name())) {
        found.add(name.name());
      } else {
        sought.remove(name.name());
      }
    } else if (!(node instanceof Statement.Block)) {
      node.children().forEach(this::visit);
    }
  }

  /** Calls the action for each part, the whole of it not among them. */
  static void forEach(Node node, Consumer<Node> action) {
    for (Node child : node.children()) {
      action.accept(child);
      forEach(child, action);
    }
  }
}
