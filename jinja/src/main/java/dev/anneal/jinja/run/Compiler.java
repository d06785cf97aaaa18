package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.syntax.Node;
import dev.anneal.jinja.syntax.Statement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Turns a template's syntax tree into what is run: the frames of {@code compiler.py}. */
final class Compiler {
  private final List<Variable> variables = new ArrayList<>();
  private final Map<String, Statement.Block> blocks = new LinkedHashMap<>();
  private final Map<String, BlockCode> blockCodes = new HashMap<>();
  // names that the statements at hand have set, to be made known to the context
  private final Deque<Set<String>> assigned = new ArrayDeque<>();
  private final StatementCompiler statements = new StatementCompiler(this);
  private FunctionScope function;
  private Escape escape = Escape.OFF;
  private int loops;
  private boolean generates;

  private Compiler() {}

  /**
   * Whether what is printed is escaped, as far as that is known beforehand. Where it is not,
   * constants are printed as was known around: {@code volatile} of {@code nodes.py}.
   */
  enum Escape {
    OFF,
    ON,
    UNKNOWN_IN_OFF,
    UNKNOWN_IN_ON;

    boolean isKnown() {
      return this == OFF || this == ON;
    }

    boolean escapesConstants() {
      return this == ON || this == UNKNOWN_IN_ON;
    }

    Escape unknown() {
      return escapesConstants() ? UNKNOWN_IN_ON : UNKNOWN_IN_OFF;
    }

    Escape switchedTo(Object value) {
      boolean on = Values.truth(value);
      return isKnown() ? (on ? ON : OFF) : on ? UNKNOWN_IN_ON : UNKNOWN_IN_OFF;
    }
  }

  /** A template that is ready to be run. */
  record Compiled(
      FunctionScope function, Action body, Map<String, BlockCode> blocks, boolean generates) {}

  static Compiled compile(List<Statement> template) {
    return new Compiler().template(template);
  }

  private Compiled template(List<Statement> template) {
    template.forEach(this::registerBlock);
    template.forEach(statement -> NameSearch.forEach(statement, this::registerBlock));
    FunctionScope root = new FunctionScope(null);
    function = root;
    Scope scope = Scope.ofTemplate();
    List<Action> actions = new ArrayList<>();
    self(template, scope, actions);
    new SymbolVisitor(scope.symbols()).visitAll(template);
    actions.add(enter(scope));
    actions.add(body(template, scope));
    blocks.forEach((name, block) -> blockCodes.put(name, block(block)));
    variables.forEach(Variable::resolve);
    return new Compiled(root, Action.all(actions), blockCodes, generates);
  }

  private void registerBlock(Node node) {
    if (node instanceof Statement.Block block && blocks.put(block.name(), block) != null) {
      throw error("block '" + block.name() + "' defined twice", block);
    }
  }

  private void self(List<Statement> body, Scope scope, List<Action> actions) {
    if (!NameSearch.undeclared(body, "self").isEmpty()) {
      Variable self = local(scope.symbols().declareParameter("self"));
      actions.add(
          (frame, out) -> {
            self.set(frame, new BlockReference.Self(frame.run, frame.context));
            return Flow.NEXT;
          });
    }
  }

  private BlockCode block(Statement.Block block) {
    FunctionScope own = new FunctionScope(null);
    function = own;
    loops = 0;
    Scope scope = Scope.ofBlock();
    List<Action> actions = new ArrayList<>();
    self(block.body(), scope, actions);
    if (!NameSearch.undeclared(block.body(), "super").isEmpty()) {
      Variable parent = local(scope.symbols().declareParameter("super"));
      actions.add(
          (frame, out) -> {
            parent.set(frame, BlockReference.noParent(block.name()));
            return Flow.NEXT;
          });
    }
    new SymbolVisitor(scope.symbols()).visitAll(block.body());
    actions.add(enter(scope));
    actions.add(body(block.body(), scope));
    return new BlockCode(own, Action.all(actions));
  }

  static TemplateException error(String message, Node node) {
    return TemplateException.syntax(message, node.at().line(), node.at().column());
  }

  Action body(List<? extends Statement> body, Scope scope) {
    List<Action> actions = new ArrayList<>();
    for (Statement statement : body) {
      actions.add(statements.compile(statement, scope));
    }
    return Action.all(actions);
  }

  /** Notes that the template marks what the assistant says. */
  void noteGeneration() {
    generates = true;
  }

  // -- functions

  FunctionScope function() {
    return function;
  }

  /** Begins a function; returns the one around it for {@link #leaveFunction}. */
  FunctionScope enterFunction() {
    FunctionScope outer = function;
    function = new FunctionScope(outer);
    return outer;
  }

  void leaveFunction(FunctionScope outer) {
    function = outer;
  }

  /** How many loops are around in the same function. */
  int loops() {
    return loops;
  }

  void setLoops(int loops) {
    this.loops = loops;
  }

  Escape escape() {
    return escape;
  }

  void setEscape(Escape escape) {
    this.escape = escape;
  }

  // -- variables

  /** A use of a variable. */
  Variable use(String identifier) {
    Variable variable = new Variable(identifier, function);
    variables.add(variable);
    return variable;
  }

  /** A variable of the function at hand, which puts something into it. */
  Variable local(String identifier) {
    function.assign(identifier);
    return use(identifier);
  }

  /** Gives the variables of a scope their first values. */
  Action enter(Scope scope) {
    List<Action> actions = new ArrayList<>();
    List<Variable> undefined = new ArrayList<>();
    scope
        .symbols()
        .loads()
        .forEach(
            (identifier, load) -> {
              switch (load.origin()) {
                case PARAMETER -> {}
                case UNDEFINED -> undefined.add(local(identifier));
                case CONTEXT -> actions.add(fromContext(local(identifier), load.from()));
                case ALIAS -> actions.add(alias(local(identifier), use(load.from())));
              }
            });
    if (!undefined.isEmpty()) {
      actions.add(clear(undefined));
    }
    return Action.all(actions);
  }

  private static Action fromContext(Variable variable, String name) {
    return (frame, out) -> {
      variable.set(frame, frame.context.resolve(name));
      return Flow.NEXT;
    };
  }

  private static Action alias(Variable variable, Variable other) {
    return (frame, out) -> {
      variable.set(frame, other.get(frame));
      return Flow.NEXT;
    };
  }

  private static Action clear(List<Variable> cleared) {
    Variable[] all = cleared.toArray(new Variable[0]);
    return (frame, out) -> {
      for (Variable variable : all) {
        variable.set(frame, Attributes.ABSENT);
      }
      return Flow.NEXT;
    };
  }

  /** Takes the variables of a scope their values. */
  Action leave(Scope scope) {
    List<Variable> all = new ArrayList<>();
    scope.symbols().loads().keySet().forEach(identifier -> all.add(local(identifier)));
    return all.isEmpty() ? Action.NOTHING : clear(all);
  }

  // -- what is set

  void beginAssignment() {
    assigned.push(new TreeSet<>());
  }

  void noteAssignment(String name, Scope scope) {
    if ((scope.toplevel() || scope.loop() || scope.block()) && !assigned.isEmpty()) {
      assigned.peek().add(name);
    }
  }

  /** Makes what was set at the top level known to the context. */
  Action endAssignment(Scope scope) {
    Set<String> names = assigned.pop();
    if (!scope.toplevel() || scope.loop() || scope.block() || names.isEmpty()) {
      return Action.NOTHING;
    }
    List<Action> actions = new ArrayList<>();
    for (String name : names) {
      Variable variable = use(scope.symbols().reference(name));
      actions.add(
          (frame, out) -> {
            frame.context.set(name, variable.get(frame));
            return Flow.NEXT;
          });
    }
    return Action.all(actions);
  }

  /** Forgets what a loop within an assignment has set. */
  void forgetAssignments(Set<String> names) {
    if (!assigned.isEmpty()) {
      assigned.peek().removeAll(names);
    }
  }
}
