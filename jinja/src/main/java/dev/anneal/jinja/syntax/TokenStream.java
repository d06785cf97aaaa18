package dev.anneal.jinja.syntax;

import dev.anneal.jinja.error.TemplateException;
import java.util.List;

/** The tokens of a template, of which the parser looks at two. */
final class TokenStream {
  private final List<Token> tokens;
  private int next;

  TokenStream(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token current() {
    return tokens.get(next);
  }

  Token look() {
    return tokens.get(Math.min(next + 1, tokens.size() - 1));
  }

  boolean is(TokenType type) {
    return current().type() == type;
  }

  boolean isName(String name) {
    return current().isName(name);
  }

  /** Takes the current token. */
  Token take() {
    Token token = current();
    next = Math.min(next + 1, tokens.size() - 1);
    return token;
  }

  boolean takeIf(TokenType type) {
    boolean found = is(type);
    if (found) {
      take();
    }
    return found;
  }

  boolean takeIfName(String name) {
    boolean found = isName(name);
    if (found) {
      take();
    }
    return found;
  }

  Token expect(TokenType type) {
    if (!is(type)) {
      throw unexpected(type.description());
    }
    return take();
  }

  Token expectName(String name) {
    if (!isName(name)) {
      throw unexpected(name);
    }
    return take();
  }

  TemplateException unexpected(String expected) {
    return is(TokenType.EOF)
        ? error("unexpected end of template, expected '" + expected + "'")
        : error("expected token '" + expected + "', got '" + current().describe() + "'");
  }

  TemplateException error(String message) {
    return error(message, current().at());
  }

  static TemplateException error(String message, Position at) {
    return TemplateException.syntax(message, at.line(), at.column());
  }
}
