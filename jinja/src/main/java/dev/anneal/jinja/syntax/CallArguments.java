package dev.anneal.jinja.syntax;

import java.util.ArrayList;
import java.util.List;

/**
 * What stands between the parentheses of a call.
 *
 * @param more what {@code *} stands before; null if there is none
 * @param moreNamed what {@code **} stands before; null if there is none
 */
public record CallArguments(
    List<Expression> positional,
    List<Helper.Keyword> named,
    Expression more,
    Expression moreNamed) {
  static final CallArguments NONE = new CallArguments(List.of(), List.of(), null, null);

  /** Whether it is known how many there are. */
  public boolean isPlain() {
    return more == null && moreNamed == null;
  }

  List<Node> nodes() {
    List<Node> nodes = new ArrayList<>(positional);
    nodes.addAll(named);
    if (more != null) {
      nodes.add(more);
    }
    if (moreNamed != null) {
      nodes.add(moreNamed);
    }
    return nodes;
  }
}
