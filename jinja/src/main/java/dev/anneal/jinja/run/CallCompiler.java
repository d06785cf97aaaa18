package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.filter.Filters;
import dev.anneal.jinja.filter.Function;
import dev.anneal.jinja.filter.Tests;
import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.BoundMethod;
import dev.anneal.jinja.python.Callable;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.run.ExpressionCompiler.Mode;
import dev.anneal.jinja.syntax.CallArguments;
import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Helper;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** Calls, filters and tests. */
final class CallCompiler {
  private final ExpressionCompiler expressions;

  CallCompiler(ExpressionCompiler expressions) {
    this.expressions = expressions;
  }

  /** Arguments, ready to be evaluated; what a filter is applied to may stand before them. */
  private interface ArgumentsCode {
    Arguments of(Frame frame, Object first);
  }

  /** Stands for no first argument. */
  private static final Object NOTHING = Attributes.ABSENT;

  private ArgumentsCode arguments(CallArguments call, Scope scope, Mode mode) {
    Code[] positional = expressions.all(call.positional(), scope, mode);
    Code[] named =
        expressions.all(call.named().stream().map(Helper.Keyword::value).toList(), scope, mode);
    String[] names = call.named().stream().map(Helper.Keyword::key).toArray(String[]::new);
    requireDistinct(call.named());
    if (!call.isPlain()) {
      return dynamic(call, positional, named, names, scope, mode);
    }
    if (names.length == 0 && positional.length == 0) {
      return (frame, first) ->
          first == NOTHING
              ? Arguments.NONE
              : new Arguments(Collections.singletonList(first), Map.of());
    }
    return (frame, first) -> {
      List<Object> values = positional(positional, frame, first);
      return new Arguments(values, names.length == 0 ? Map.of() : named(named, names, frame));
    };
  }

  private static void requireDistinct(List<Helper.Keyword> named) {
    Set<String> seen = new HashSet<>();
    for (Helper.Keyword keyword : named) {
      if (!seen.add(keyword.key())) {
        throw Compiler.error("keyword argument repeated: " + keyword.key(), keyword);
      }
    }
  }

  private static List<Object> positional(Code[] codes, Frame frame, Object first) {
    List<Object> values = new ArrayList<>(codes.length + 1);
    if (first != NOTHING) {
      values.add(first);
    }
    for (Code code : codes) {
      values.add(code.value(frame));
    }
    return values;
  }

  private static Map<String, Object> named(Code[] codes, String[] names, Frame frame) {
    Map<String, Object> values = new LinkedHashMap<>();
    for (int i = 0; i < names.length; i++) {
      values.put(names[i], codes[i].value(frame));
    }
    return values;
  }

  private ArgumentsCode dynamic(
      CallArguments call, Code[] positional, Code[] named, String[] names, Scope scope, Mode mode) {
    Code more = call.more() == null ? null : expressions.compile(call.more(), scope, mode);
    Code moreNamed =
        call.moreNamed() == null ? null : expressions.compile(call.moreNamed(), scope, mode);
    return (frame, first) -> {
      List<Object> values = positional(positional, frame, first);
      Map<String, Object> all = named(named, names, frame);
      if (more != null) {
        Iterator<?> items = Iteration.of(more.value(frame));
        items.forEachRemaining(values::add);
        frame.run.budget().elements(values.size());
      }
      if (moreNamed != null) {
        addNamed(all, moreNamed.value(frame));
      }
      return new Arguments(values, all);
    };
  }

  private static void addNamed(Map<String, Object> all, Object value) {
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw TemplateException.type(
          "argument after ** must be a mapping, not " + Values.typeName(value));
    }
    map.forEach(
        (key, item) -> {
          if (!Values.isText(key)) {
            throw TemplateException.type("keywords must be strings");
          }
          if (all.containsKey(Repr.str(key))) {
            throw TemplateException.type(
                "got multiple values for keyword argument " + Repr.of(key));
          }
          all.put(Repr.str(key), item);
        });
  }

  Code call(Expression.Call call, Scope scope) {
    ArgumentsCode arguments = arguments(call.arguments(), scope, Mode.RUNNING);
    if (call.node() instanceof Expression.Attribute attribute) {
      return method(attribute, arguments, scope);
    }
    Code node = expressions.compile(call.node(), scope);
    return frame -> {
      Object callee = node.value(frame);
      return call(frame, callee, arguments.of(frame, NOTHING));
    };
  }

  // without an object for the method where it is one of a text or a mapping
  private Code method(Expression.Attribute attribute, ArgumentsCode arguments, Scope scope) {
    Code node = expressions.compile(attribute.node(), scope);
    String name = attribute.name();
    return frame -> {
      Object object = node.value(frame);
      if (object instanceof String || object instanceof Map) {
        Arguments given = arguments.of(frame, NOTHING);
        Object value = BoundMethod.callDirect(frame.run.budget(), object, name, given);
        return value == Attributes.ABSENT
            ? call(frame, Attributes.get(object, name), given)
            : value;
      }
      Object callee = Attributes.get(object, name);
      return call(frame, callee, arguments.of(frame, NOTHING));
    };
  }

  private static Object call(Frame frame, Object callee, Arguments arguments) {
    if (callee instanceof Callable callable) {
      return callable.call(frame.run.budget(), arguments);
    }
    if (callee instanceof Undefined undefined) {
      throw undefined.error();
    }
    throw TemplateException.type("'" + Values.typeName(callee) + "' object is not callable");
  }

  ExpressionCompiler.CallCode callOfBlock(Expression.Call call, Scope scope) {
    expressions.requireHashableKeys(call, scope);
    Code node = expressions.compile(call.node(), scope);
    ArgumentsCode arguments = arguments(call.arguments(), scope, Mode.RUNNING);
    return (frame, caller) -> {
      Object callee = node.value(frame);
      Arguments given = arguments.of(frame, NOTHING);
      Map<String, Object> named = new LinkedHashMap<>(given.named());
      if (named.put("caller", caller) != null) {
        throw TemplateException.type("got multiple values for keyword argument 'caller'");
      }
      return call(frame, callee, new Arguments(given.positional(), named));
    };
  }

  Code filter(Expression.Filter filter, Scope scope, Mode mode) {
    if (mode == Mode.BEFOREHAND
        && (!expressions.escape().isKnown()
            || filter.node() == null
            || Constants.isOfContext(filter.name())
            || Filters.find(filter.name()) == null)) {
      return Constants.IMPOSSIBLE;
    }
    Code node = expressions.compile(filter.node(), scope, mode);
    ArgumentsCode arguments = arguments(filter.arguments(), scope, mode);
    Function function =
        function(Filters.find(filter.name()), "filter", filter, filter.name(), scope);
    return frame -> {
      Object value = node.value(frame);
      frame.run.budget().step();
      return function.call(frame.run, arguments.of(frame, value));
    };
  }

  Code test(Expression.Test test, Scope scope, Mode mode) {
    if (mode == Mode.BEFOREHAND
        && (!expressions.escape().isKnown() || Tests.find(test.name()) == null)) {
      return Constants.IMPOSSIBLE;
    }
    Code node = expressions.compile(test.node(), scope, mode);
    boolean bare = test.arguments().isPlain() && test.arguments().positional().isEmpty();
    Predicate<Object> simple =
        bare && test.arguments().named().isEmpty() ? Tests.simple(test.name()) : null;
    if (simple != null) {
      return frame -> simple.test(node.value(frame));
    }
    ArgumentsCode arguments = arguments(test.arguments(), scope, mode);
    Function function = function(Tests.find(test.name()), "test", test, test.name(), scope);
    return frame -> {
      Object value = node.value(frame);
      return function.call(frame.run, arguments.of(frame, value));
    };
  }

  private static Function function(
      Function found, String what, Expression node, String name, Scope scope) {
    if (found != null) {
      return found;
    }
    String message = "No " + what + " named '" + name + "' found.";
    if (!scope.soft()) {
      throw Compiler.error(message, node);
    }
    return (run, arguments) -> {
      throw TemplateException.runtime(message);
    };
  }

  ExpressionCompiler.TextCode blockFilter(Expression.Filter filter, Scope scope) {
    expressions.requireHashableKeys(filter, scope);
    Compiler.Escape escape = expressions.escape();
    ExpressionCompiler.TextCode inner =
        filter.node() == null
            ? (frame, text) -> {
              boolean markup =
                  escape == Compiler.Escape.ON || (!escape.isKnown() && frame.run.escaping());
              return markup ? new Markup(text) : text;
            }
            : blockFilter((Expression.Filter) filter.node(), scope);
    ArgumentsCode arguments = arguments(filter.arguments(), scope, Mode.RUNNING);
    Function function =
        function(Filters.find(filter.name()), "filter", filter, filter.name(), scope);
    return (frame, text) -> {
      Object value = inner.value(frame, text);
      return function.call(frame.run, arguments.of(frame, value));
    };
  }
}
