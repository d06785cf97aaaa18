package dev.anneal.jinja.run;

import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Helper;
import dev.anneal.jinja.syntax.Node;

/** What Jinja evaluates before a template is run: {@code as_const} of {@code nodes.py}. */
final class Constants {
  private Constants() {}

  static boolean is(Node node) {
    if (node instanceof Expression.Name
        || node instanceof Expression.Call
        || (node instanceof Expression.Conditional conditional && conditional.otherwise() == null)
        || (node instanceof Expression.Filter filter && isOfContext(filter.name()))) {
      return false;
    }
    return node.children().stream().allMatch(Constants::is);
  }

  private static boolean isOfContext(String filter) {
    return switch (filter) {
      case "map", "select", "reject", "selectattr", "rejectattr", "random" -> true;
      default -> false;
    };
  }

  /**
   * Refuses a constant mapping with a key that cannot be hashed in a part of an expression, which
   * Jinja evaluates even where it is never reached.
   */
  static void requireHashableKeys(Expression expression) {
    NameSearch.forEach(
        expression,
        node -> {
          if (node instanceof Expression.DictLiteral dict && fails(dict)) {
            throw Compiler.error("a key of the mapping is unhashable", dict);
          }
        });
  }

  private static boolean fails(Expression.DictLiteral dict) {
    for (Helper.Pair pair : dict.items()) {
      if (!is(pair)) {
        return false;
      }
      if (pair.key() instanceof Expression.ListLiteral
          || pair.key() instanceof Expression.DictLiteral) {
        return true;
      }
    }
    return false;
  }
}
