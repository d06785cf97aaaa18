package dev.anneal.jinja.syntax;

/**
 * A piece of a template.
 *
 * @param value a name, the text of data or of a string, a number
 * @param at where it stands
 */
record Token(TokenType type, Object value, Position at) {

  boolean isName(String name) {
    return type == TokenType.NAME && value.equals(name);
  }

  String describe() {
    return type == TokenType.NAME ? (String) value : type.description();
  }
}
