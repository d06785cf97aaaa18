package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Dict;
import dev.anneal.jinja.python.Slices;
import dev.anneal.jinja.python.Tuple;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Helper;
import java.util.ArrayList;
import java.util.List;

/** Expressions. */
final class ExpressionCompiler {
  private final Compiler compiler;
  private final OperatorCompiler operators;
  private final CallCompiler calls;

  ExpressionCompiler(Compiler compiler) {
    this.compiler = compiler;
    this.operators = new OperatorCompiler(compiler, this);
    this.calls = new CallCompiler(this);
  }

  /** What is done to the text of a block. */
  interface TextCode {
    Object value(Frame frame, String text);
  }

  /** A call that is given a block. */
  interface CallCode {
    Object value(Frame frame, Macro caller);
  }

  Code compile(Expression expression, Scope scope) {
    return compile(expression, scope, Mode.RUNNING);
  }

  /** An expression without names, as Jinja evaluates it beforehand. */
  Code constant(Expression expression, Scope scope) {
    return compile(expression, scope, Mode.BEFOREHAND);
  }

  /** When an expression is evaluated. */
  enum Mode {
    RUNNING,
    BEFOREHAND
  }

  Code compile(Expression expression, Scope scope, Mode mode) {
    if (expression instanceof Expression.Constant constant) {
      return mode == Mode.BEFOREHAND ? frame -> constant.value() : written(constant.value());
    }
    if (expression instanceof Expression.TupleLiteral tuple) {
      Code[] items = all(tuple.items(), scope, mode);
      return frame -> new Tuple(values(items, frame));
    }
    if (expression instanceof Expression.ListLiteral list) {
      Code[] items = all(list.items(), scope, mode);
      return frame -> values(items, frame);
    }
    if (mode == Mode.RUNNING) {
      requireHashableKeys(expression, scope);
    }
    if (expression instanceof Expression.Conditional conditional) {
      return conditional(conditional, scope, mode);
    }
    Object known = mode == Mode.RUNNING ? known(expression, scope) : Attributes.ABSENT;
    if (known != Attributes.ABSENT) {
      return written(known);
    }
    Code code = failing(expression, scope, mode);
    return Located.code(code, expression.at());
  }

  private static Code written(Object value) {
    if (Constants.isWritable(value)) {
      return frame -> value;
    }
    return frame -> {
      throw TemplateException.runtime("numbers in templates cannot be infinite");
    };
  }

  /** The value of an expression that is always the same; absent if there is none. */
  Object known(Expression expression, Scope scope) {
    if (expression instanceof Expression.Name
        || expression instanceof Expression.Call
        || expression instanceof Expression.DictLiteral
        || !compiler.escape().isKnown()) {
      return Attributes.ABSENT;
    }
    Object value = valueBeforehand(expression, scope);
    return Constants.isPlain(value) ? value : Attributes.ABSENT;
  }

  /** Refuses what Jinja's optimizer fails on, which looks at any expression but a literal. */
  void requireHashableKeys(Expression expression, Scope scope) {
    if (!(expression instanceof Expression.DictLiteral) && compiler.escape().isKnown()) {
      Constants.requireHashableKeys(expression, part -> valueBeforehand(part, scope));
    }
  }

  /** The value as Jinja finds it beforehand; absent if it does not. */
  Object valueBeforehand(Expression expression, Scope scope) {
    return Constants.value(constant(expression, scope), compiler.escape().escapesConstants());
  }

  private Code failing(Expression expression, Scope scope, Mode mode) {
    if (mode == Mode.BEFOREHAND
        && (expression instanceof Expression.Name || expression instanceof Expression.Call)) {
      return Constants.IMPOSSIBLE;
    }
    if (expression instanceof Expression.Name name) {
      return name(name, scope);
    }
    if (expression instanceof Expression.Attribute attribute) {
      Code node = compile(attribute.node(), scope, mode);
      String name = attribute.name();
      return frame -> Attributes.get(node.value(frame), name);
    }
    if (expression instanceof Expression.Item item) {
      return item(item, scope, mode);
    }
    if (expression instanceof Expression.DictLiteral dict) {
      return dict(dict, scope, mode);
    }
    if (expression instanceof Expression.Filter filter) {
      return calls.filter(filter, scope, mode);
    }
    if (expression instanceof Expression.Test test) {
      return calls.test(test, scope, mode);
    }
    if (expression instanceof Expression.Call call) {
      return calls.call(call, scope);
    }
    return operators.compile(expression, scope, mode);
  }

  private Code name(Expression.Name name, Scope scope) {
    Variable variable = compiler.use(scope.symbols().reference(name.name()));
    Undefined undefined = Undefined.variable(name.name());
    return frame -> {
      Object value = variable.get(frame);
      return value == Attributes.ABSENT ? undefined : value;
    };
  }

  private Code item(Expression.Item item, Scope scope, Mode mode) {
    Code node = compile(item.node(), scope, mode);
    if (!(item.argument() instanceof Expression.Slice slice)) {
      Code argument = compile(item.argument(), scope, mode);
      return frame -> Attributes.item(node.value(frame), argument.value(frame));
    }
    Code start = optional(slice.start(), scope, mode);
    Code stop = optional(slice.stop(), scope, mode);
    Code step = optional(slice.step(), scope, mode);
    return frame -> {
      Object value = node.value(frame);
      Object from = start.value(frame);
      Object to = stop.value(frame);
      Object by = step.value(frame);
      try {
        return Slices.of(value, from, to, by);
      } catch (TemplateException e) {
        if (mode == Mode.BEFOREHAND && e.kind() == TemplateException.Kind.TYPE) {
          // Jinja looks for constants as for any element, which gives undefined
          return Undefined.member(value, 0L);
        }
        throw e;
      }
    };
  }

  private Code optional(Expression expression, Scope scope, Mode mode) {
    return expression == null ? frame -> null : compile(expression, scope, mode);
  }

  private Code dict(Expression.DictLiteral literal, Scope scope, Mode mode) {
    Code[] keys = all(literal.items().stream().map(Helper.Pair::key).toList(), scope, mode);
    Code[] values = all(literal.items().stream().map(Helper.Pair::value).toList(), scope, mode);
    return frame -> {
      Dict dict = new Dict();
      for (int i = 0; i < keys.length; i++) {
        Object key = keys[i].value(frame);
        dict.put(key, values[i].value(frame));
      }
      return dict;
    };
  }

  private Code conditional(Expression.Conditional conditional, Scope scope, Mode mode) {
    Scope soft = scope.inCondition();
    Code test = compile(conditional.test(), soft, mode);
    Code then = compile(conditional.then(), soft, mode);
    Undefined none =
        Undefined.because(
            "the inline if-expression on line "
                + conditional.at().line()
                + " evaluated to false and no else section was defined.");
    Code otherwise =
        conditional.otherwise() == null
            ? mode == Mode.BEFOREHAND ? Constants.IMPOSSIBLE : frame -> none
            : compile(conditional.otherwise(), soft, mode);
    return frame -> (Values.truth(test.value(frame)) ? then : otherwise).value(frame);
  }

  Code[] all(List<? extends Expression> expressions, Scope scope, Mode mode) {
    return expressions.stream()
        .map(expression -> compile(expression, scope, mode))
        .toArray(Code[]::new);
  }

  static List<Object> values(Code[] codes, Frame frame) {
    List<Object> values = new ArrayList<>(codes.length);
    for (Code code : codes) {
      values.add(code.value(frame));
    }
    return values;
  }

  /** The filters of a block, from what it prints. */
  TextCode blockFilter(Expression.Filter filter, Scope scope) {
    return calls.blockFilter(filter, scope);
  }

  /** The call of a call block. */
  CallCode callOfBlock(Expression.Call call, Scope scope) {
    return calls.callOfBlock(call, scope);
  }

  Compiler.Escape escape() {
    return compiler.escape();
  }
}
