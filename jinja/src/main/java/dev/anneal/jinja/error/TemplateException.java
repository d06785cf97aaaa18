package dev.anneal.jinja.error;

/** A template that is not Jinja, or that fails as it is rendered. */
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Which of Python's or Jinja's exceptions it would be. */
  public enum Kind {
    /** The text is not a template. */
    SYNTAX,
    /** An undefined value is used for more than printing and asking. */
    UNDEFINED,
    /** What the sandbox does not allow. */
    SECURITY,
    TYPE,
    VALUE,
    /** An index or a key that is not there. */
    LOOKUP,
    DIVISION,
    OVERFLOW,
    /** Jinja's own. */
    RUNTIME,
    /** The template's own {@code raise_exception}. */
    RAISED,
    /** What Python makes anew each time, or has and templates have no use for. */
    UNSUPPORTED,
    /** More time, text or depth than a rendering may take. */
    LIMIT
  }

  private final Kind kind;
  private final String reason;
  private int line;
  private int column;

  public TemplateException(Kind kind, String reason) {
    super(reason, null, false, false);
    this.kind = kind;
    this.reason = reason;
  }

  public static TemplateException type(String reason) {
    return new TemplateException(Kind.TYPE, reason);
  }

  public static TemplateException value(String reason) {
    return new TemplateException(Kind.VALUE, reason);
  }

  public static TemplateException lookup(String reason) {
    return new TemplateException(Kind.LOOKUP, reason);
  }

  public static TemplateException runtime(String reason) {
    return new TemplateException(Kind.RUNTIME, reason);
  }

  public static TemplateException unsupported(String reason) {
    return new TemplateException(Kind.UNSUPPORTED, reason);
  }

  public static TemplateException limit(String reason) {
    return new TemplateException(Kind.LIMIT, reason);
  }

  public static TemplateException syntax(String reason, int line, int column) {
    return new TemplateException(Kind.SYNTAX, reason).at(line, column);
  }

  /** Itself, with that place of the template unless it has one. */
  public TemplateException at(int newLine, int newColumn) {
    if (line == 0) {
      line = newLine;
      column = newColumn;
    }
    return this;
  }

  public Kind kind() {
    return kind;
  }

  /** What is wrong, without the place. */
  public String reason() {
    return reason;
  }

  /** Line of the template, from 1; 0 where it is none in particular. */
  public int line() {
    return line;
  }

  /** Column of the line, from 1. */
  public int column() {
    return column;
  }

  @Override
  public String getMessage() {
    return line == 0 ? reason : "line " + line + ", column " + column + ": " + reason;
  }
}
