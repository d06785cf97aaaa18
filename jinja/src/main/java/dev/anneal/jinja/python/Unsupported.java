package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.Set;

/** Attributes that Python's values have and that templates have no use for. */
final class Unsupported {
  private static final Set<String> OF_INTEGERS = Set.of("from_bytes", "to_bytes");
  private static final Set<String> OF_MARKUP = Set.of("escape", "striptags", "unescape");
  private static final Set<String> OF_VIEWS = Set.of("isdisjoint", "mapping");
  private static final Set<String> OF_SETS =
      Set.of(
          "copy",
          "difference",
          "intersection",
          "intersection_update",
          "isdisjoint",
          "issubset",
          "issuperset",
          "symmetric_difference",
          "union");
  private static final Set<String> OF_GENERATORS =
      Set.of("close", "gi_running", "gi_suspended", "gi_yieldfrom", "send", "throw");

  private Unsupported() {}

  /**
   * Refuses an attribute that the value has in Python, so that it is not taken for undefined.
   *
   * @throws TemplateException if it has it
   */
  static void refuse(Object value, String name) {
    boolean known =
        (Values.isInteger(value) && OF_INTEGERS.contains(name))
            || (value instanceof Double && name.equals("fromhex"))
            || (value instanceof Markup && OF_MARKUP.contains(name))
            || (value instanceof DictView view && has(view, name))
            || (value instanceof PythonSet && OF_SETS.contains(name))
            || (value instanceof OneShot shot
                && shot.isGenerator()
                && OF_GENERATORS.contains(name));
    if (known) {
      throw missing(value, name);
    }
  }

  private static boolean has(DictView view, String name) {
    return OF_VIEWS.contains(name)
        && (view.part() != DictView.Part.VALUES || !name.equals("isdisjoint"));
  }

  static TemplateException missing(Object value, String name) {
    return TemplateException.unsupported(
        "'" + name + "' of the type " + Values.typeName(value) + " is not there for templates");
  }
}
