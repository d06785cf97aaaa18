package dev.anneal.jinja.run;

import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Node;
import dev.anneal.jinja.syntax.Statement;
import java.util.List;

/** Finds the names of a part of a template: {@code FrameSymbolVisitor} of {@code idtracking.py}. */
final class SymbolVisitor {
  private Symbols symbols;

  SymbolVisitor(Symbols symbols) {
    this.symbols = symbols;
  }

  void visitAll(List<? extends Node> nodes) {
    nodes.forEach(this::visit);
  }

  /** A target of a loop, whose names are parameters of its body. */
  void visitTarget(Expression target) {
    if (target instanceof Expression.Name name) {
      symbols.declareParameter(name.name());
    } else {
      target.children().forEach(child -> visitTarget((Expression) child));
    }
  }

  void visit(Node node) {
    if (node instanceof Expression.Name name) {
      switch (name.use()) {
        case PARAMETER -> symbols.declareParameter(name.name());
        case STORE -> symbols.store(name.name());
        case LOAD -> symbols.load(name.name());
      }
    } else if (node instanceof Expression.NamespaceRef reference) {
      symbols.load(reference.name());
    } else if (node instanceof Statement statement) {
      visitStatement(statement);
    } else {
      visitAll(node.children());
    }
  }

  /** Stops at what has variables of its own. */
  private void visitStatement(Statement statement) {
    if (statement instanceof Statement.If condition) {
      visitIf(condition);
    } else if (statement instanceof Statement.Macro macro) {
      symbols.store(macro.name());
    } else if (statement instanceof Statement.Import imported) {
      visit(imported.template());
      imported.names().forEach(symbols::store);
    } else if (statement instanceof Statement.Assign assign) {
      visit(assign.value());
      visit(assign.target());
    } else if (statement instanceof Statement.For loop) {
      visit(loop.iterable());
    } else if (statement instanceof Statement.CallBlock block) {
      visit(block.call());
    } else if (statement instanceof Statement.FilterBlock block) {
      visit(block.filter());
    } else if (statement instanceof Statement.With with) {
      visitAll(with.values());
    } else if (statement instanceof Statement.AssignBlock block) {
      visit(block.target());
    } else if (!isScope(statement)) {
      visitAll(statement.children());
    }
  }

  private static boolean isScope(Statement statement) {
    return statement instanceof Statement.Autoescape
        || statement instanceof Statement.Block
        || statement instanceof Statement.Generation;
  }

  private void visitIf(Statement.If condition) {
    visit(condition.test());
    Symbols original = symbols;
    List<Symbols> branches =
        List.of(
            branch(original, condition.body()),
            branch(original, condition.elifs()),
            branch(original, condition.otherwise()));
    original.join(branches);
  }

  private Symbols branch(Symbols original, List<? extends Node> nodes) {
    Symbols branch = original.copy();
    symbols = branch;
    visitAll(nodes);
    symbols = original;
    return branch;
  }
}
