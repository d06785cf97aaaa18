package dev.anneal.data.token;

import com.hubspot.jinjava.el.ExtendedSyntaxBuilder;
import com.hubspot.jinjava.el.ext.AdditionOperator;
import com.hubspot.jinjava.el.ext.ExtendedParser;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import java.util.Collection;
import java.util.Map;
import jinjava.de.odysseus.el.misc.TypeConverter;
import jinjava.de.odysseus.el.tree.Bindings;
import jinjava.de.odysseus.el.tree.impl.Builder;
import jinjava.de.odysseus.el.tree.impl.Parser;
import jinjava.de.odysseus.el.tree.impl.Scanner.ScanException;
import jinjava.de.odysseus.el.tree.impl.Scanner.Symbol;
import jinjava.de.odysseus.el.tree.impl.ast.AstBinary;
import jinjava.de.odysseus.el.tree.impl.ast.AstIdentifier;
import jinjava.de.odysseus.el.tree.impl.ast.AstNode;
import jinjava.de.odysseus.el.tree.impl.ast.AstUnary;
import jinjava.javax.el.ELContext;

/**
 * Expressions as Python reads them, where Jinjava differs: {@code not} binds looser than
 * comparisons and tests, so that {@code not tools is defined} asks whether tools are defined;
 * {@code and} gives one of its sides; texts are only added to texts.
 */
final class PythonSyntax extends ExtendedSyntaxBuilder {
  private static final long serialVersionUID = 1L;

  PythonSyntax() {
    super(Feature.METHOD_INVOCATIONS, Feature.VARARGS);
  }

  @Override
  protected Parser createParser(String expression) {
    return new PythonParser(this, expression);
  }

  private static final class PythonParser extends ExtendedParser {
    PythonParser(Builder builder, String expression) {
      super(builder, expression);
    }

    @Override
    protected AstNode and(boolean required) throws ScanException, ParseException {
      AstNode v = not(required);
      while (v != null && getToken().getSymbol() == Symbol.AND) {
        consumeToken();
        v = createAstBinary(v, not(true), AND);
      }
      return v;
    }

    private AstNode not(boolean required) throws ScanException, ParseException {
      if (getToken().getSymbol() != Symbol.NOT) {
        return eq(required);
      }
      consumeToken();
      return createAstUnary(not(true), AstUnary.NOT);
    }

    // Jinjava takes a filter that it does not know for one that gives nothing.
    @Override
    protected AstIdentifier createAstIdentifier(String name, int index) {
      Context context = JinjavaInterpreter.getCurrent().getContext();
      boolean missing =
          name.startsWith(FILTER_PREFIX)
              ? context.getFilter(name.substring(FILTER_PREFIX.length())) == null
              : name.startsWith(EXPTEST_PREFIX)
                  && context.getExpTest(name.substring(EXPTEST_PREFIX.length())) == null;
      if (missing) {
        throw new IllegalArgumentException("there is no " + name.replace("exptest", "test"));
      }
      return super.createAstIdentifier(name, index);
    }

    @Override
    protected AstBinary createAstBinary(AstNode left, AstNode right, AstBinary.Operator operator) {
      return super.createAstBinary(
          left, right, operator == AdditionOperator.OP ? new Addition() : operator);
    }
  }

  /** Gives one of its sides, as Jinjava's {@code or} does, where JUEL gives a truth value. */
  private static final AstBinary.Operator AND =
      new AstBinary.Operator() {
        @Override
        public Object eval(Bindings bindings, ELContext context, AstNode left, AstNode right) {
          Object value = left.eval(bindings, context);
          return bindings.convert(value, Boolean.class) ? right.eval(bindings, context) : value;
        }

        @Override
        public String toString() {
          return "&&";
        }
      };

  private static final class Addition extends AstBinary.SimpleOperator {
    @Override
    protected Object apply(TypeConverter converter, Object left, Object right) {
      if (left == null || right == null || isText(left) != isText(right)) {
        throw new TemplateRefusalException(
            "it adds " + typeOf(left) + " and " + typeOf(right) + ", which cannot be added");
      }
      if (!isText(left)) {
        RenderLimits.current().requireElements(size(left) + size(right));
        return ADDITION.add(converter, left, right);
      }
      String first = left.toString();
      String second = right.toString();
      RenderLimits.current().requireText((long) first.length() + second.length());
      return first + second;
    }
  }

  private static final Adding ADDITION = new Adding();

  /** Opens Jinjava's addition of lists, maps and numbers. */
  private static final class Adding extends AdditionOperator {
    Object add(TypeConverter converter, Object left, Object right) {
      return apply(converter, left, right);
    }
  }

  private static long size(Object value) {
    return value instanceof Collection<?> list
        ? list.size()
        : value instanceof Map<?, ?> map ? map.size() : 0;
  }

  private static boolean isText(Object value) {
    return value instanceof CharSequence;
  }

  private static String typeOf(Object value) {
    return value == null ? "nothing" : isText(value) ? "a text" : "something else than a text";
  }
}
