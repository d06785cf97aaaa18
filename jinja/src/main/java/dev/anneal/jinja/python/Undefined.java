package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.error.TemplateException.Kind;

/** What a template asks for and is not there: it prints as nothing, and using it is an error. */
public final class Undefined {
  private final String hint;
  private final boolean ofObject;
  private final Object object;
  private final Object name;
  private final Kind kind;

  private Undefined(String hint, boolean ofObject, Object object, Object name, Kind kind) {
    this.hint = hint;
    this.ofObject = ofObject;
    this.object = object;
    this.name = name;
    this.kind = kind;
  }

  public static Undefined variable(String name) {
    return new Undefined(null, false, null, name, Kind.UNDEFINED);
  }

  /** An attribute or element that an object does not have. */
  public static Undefined member(Object object, Object name) {
    return new Undefined(null, true, object, name, Kind.UNDEFINED);
  }

  public static Undefined because(String hint) {
    return new Undefined(hint, false, null, null, Kind.UNDEFINED);
  }

  /** An attribute that the sandbox does not give out. */
  public static Undefined unsafe(Object object, String name) {
    return new Undefined(null, true, object, name, Kind.SECURITY);
  }

  /** What using it raises. */
  public TemplateException error() {
    return new TemplateException(kind, message());
  }

  private String message() {
    if (hint != null) {
      return hint;
    }
    if (!ofObject) {
      return Repr.of(name) + " is undefined";
    }
    String owner = object == null ? "None" : Values.typeName(object) + " object";
    if (kind == Kind.SECURITY) {
      return "access to attribute " + Repr.of(name) + " of '" + owner + "' is unsafe";
    }
    return name instanceof String
        ? "'" + owner + "' has no attribute " + Repr.of(name)
        : owner + " has no element " + Repr.of(name);
  }
}
