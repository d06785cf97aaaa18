package dev.anneal.jinja.python;

/** A text that is escaped for HTML already, markupsafe's {@code Markup}. */
public record Markup(String text) {

  /** The same text with the five characters of HTML escaped. */
  public static Markup escape(Object value) {
    return value instanceof Markup markup ? markup : new Markup(escaped(Repr.str(value)));
  }

  private static String escaped(String text) {
    StringBuilder escaped = new StringBuilder(text.length() + 16);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> escaped.append("&amp;");
        case '<' -> escaped.append("&lt;");
        case '>' -> escaped.append("&gt;");
        case '\'' -> escaped.append("&#39;");
        case '"' -> escaped.append("&#34;");
        default -> escaped.append(c);
      }
    }
    return escaped.toString();
  }

  @Override
  public String toString() {
    return text;
  }
}
