package dev.anneal.data.token;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.Context.Library;
import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.Importable;
import com.hubspot.jinjava.lib.exptest.ExpTest;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.lib.fn.MacroFunction;
import com.hubspot.jinjava.util.ForLoop;
import java.beans.FeatureDescriptor;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;

/**
 * What of Jinjava a chat template may use: Jinja's own filters, functions and tags as far as their
 * work is bounded, none that read other files or evaluate texts, and of values only those that are
 * data. Everything else of Java is out of reach.
 */
final class TemplateSandbox extends ELResolver {
  /** By this name Jinjava hands its own interpreter to filters. */
  private static final String INTERPRETER = "____int3rpr3t3r____";

  private static final int MAX_TEMPLATE = 1 << 20;
  private static final int MAX_BRACKETS = 100;

  private static final Set<String> FILTERS =
      Set.of(
          "abs",
          "capitalize",
          "count",
          "d",
          "default",
          "dictsort",
          "e",
          "escape",
          "first",
          "float",
          "forceescape",
          "format",
          "groupby",
          "int",
          "join",
          "last",
          "length",
          "list",
          "lower",
          "map",
          "reject",
          "rejectattr",
          "replace",
          "reverse",
          "safe",
          "select",
          "selectattr",
          "sort",
          "string",
          "striptags",
          "sum",
          "title",
          "tojson",
          "trim",
          "truncate",
          "unique",
          "upper",
          "wordcount");

  private static final Set<String> OUTSIDE_TAGS = Set.of("include", "import", "from", "extends");

  private static final Set<String> FUNCTIONS =
      Set.of(
          ":range",
          ":namespace",
          ":type",
          ":super",
          "fn:list",
          "fn:immutable_list",
          "fn:map_entry");

  /** What Jinjava would bring beyond that. */
  static final Map<Library, Set<String>> DISABLED = disabled();

  private static Map<Library, Set<String>> disabled() {
    Context all = new Jinjava().getGlobalContext();
    return Map.of(
        Library.FILTER, others(all.getAllFilters(), FILTERS),
        Library.FUNCTION, others(all.getAllFunctions(), FUNCTIONS),
        Library.TAG, OUTSIDE_TAGS);
  }

  private static Set<String> others(Collection<? extends Importable> all, Set<String> allowed) {
    return all.stream()
        .map(Importable::getName)
        .filter(name -> !allowed.contains(name))
        .collect(Collectors.toUnmodifiableSet());
  }

  /**
   * Makes sure that a template can be parsed in time and does not name what is Jinjava's own.
   *
   * @throws InterpretException if not
   */
  static void require(String template) {
    if (template.length() > MAX_TEMPLATE) {
      throw new InterpretException("it has more than %d characters".formatted(MAX_TEMPLATE));
    }
    if (brackets(template) > MAX_BRACKETS) {
      throw new InterpretException(
          "it has more than %d brackets in each other".formatted(MAX_BRACKETS));
    }
    if (template.contains(INTERPRETER)) {
      throw new InterpretException("it names " + INTERPRETER + ", which is not for templates");
    }
  }

  /** The most that are open at a place; the parser looks ahead to the end of each. */
  private static int brackets(String template) {
    int open = 0;
    int most = 0;
    for (int i = 0; i < template.length(); i++) {
      switch (template.charAt(i)) {
        case '(', '[', '{' -> most = Math.max(most, ++open);
        case ')', ']', '}' -> open = Math.max(0, open - 1);
        default -> {}
      }
    }
    return most;
  }

  @Override
  public Object getValue(ELContext context, Object base, Object property) {
    requireData(base);
    return null;
  }

  @Override
  public Object invoke(
      ELContext context, Object base, Object method, Class<?>[] types, Object[] arguments) {
    RenderLimits.current().requireTime();
    if (base instanceof CharSequence) {
      // those that templates may call have been found before
      throw new InterpretException("a text has no method " + method);
    }
    requireData(base);
    return null;
  }

  private static void requireData(Object base) {
    boolean isData =
        base == null
            || base instanceof CharSequence
            || base instanceof Number
            || base instanceof Boolean
            || base instanceof Map<?, ?>
            || base instanceof Collection<?>
            || base instanceof Map.Entry<?, ?>
            || base instanceof ForLoop;
    boolean isJinja =
        base instanceof Filter || base instanceof ExpTest || base instanceof MacroFunction;
    if (!isData && !isJinja && !(base instanceof JinjavaInterpreter)) {
      throw new InterpretException(
          "it asks for more than data: " + base.getClass().getSimpleName());
    }
  }

  @Override
  public Class<?> getType(ELContext context, Object base, Object property) {
    return null;
  }

  @Override
  public void setValue(ELContext context, Object base, Object property, Object value) {
    throw new InterpretException("it changes " + property + ", which is not for templates");
  }

  @Override
  public boolean isReadOnly(ELContext context, Object base, Object property) {
    return true;
  }

  @Override
  public Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, Object base) {
    return List.<FeatureDescriptor>of().iterator();
  }

  @Override
  public Class<?> getCommonPropertyType(ELContext context, Object base) {
    return Object.class;
  }
}
