package dev.anneal.jinja.syntax;

import dev.anneal.jinja.error.TemplateException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts a template into tokens. White space around tags is dropped as Jinja2 does it: by {@code -},
 * kept by {@code +}, and with {@code trim_blocks} and {@code lstrip_blocks}.
 */
final class Lexer {
  private final String source;
  private final Lines lines;
  private final List<Token> tokens = new ArrayList<>();
  private int position;
  private boolean lineStarting = true;

  private Lexer(String source) {
    this.source = source;
    this.lines = new Lines(source);
  }

  /** The tokens of a template, the last of which is {@link TokenType#EOF}. */
  static List<Token> tokens(String template) {
    Lexer lexer = new Lexer(withoutLastNewline(normalized(template)));
    lexer.root();
    lexer.add(TokenType.EOF, "", lexer.source.length());
    return lexer.tokens;
  }

  /** With {@code \n} at the end of each line. */
  static String normalized(String text) {
    return text.indexOf('\r') < 0 ? text : text.replace("\r\n", "\n").replace('\r', '\n');
  }

  private static String withoutLastNewline(String text) {
    return text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
  }

  private void root() {
    while (position < source.length()) {
      int tag = nextTag();
      if (tag < 0) {
        data(source.substring(position), position);
        return;
      }
      int start = position;
      String text = source.substring(start, tag);
      int signAt = tag + 2;
      char sign = signAt < source.length() ? source.charAt(signAt) : ' ';
      boolean signed = sign == '-' || sign == '+';
      char kind = source.charAt(tag + 1);
      data(stripped(text, signed ? sign : ' ', kind != '{'), start);
      int inside = signed ? signAt + 1 : signAt;
      if (kind == '{') {
        add(TokenType.VARIABLE_BEGIN, "{{", tag);
        position = inside;
        tag(TokenType.VARIABLE_END);
      } else if (kind == '#') {
        position = inside;
        comment(tag);
      } else {
        int raw = endOfRawTag(inside, "raw", RawTag.BEGIN);
        if (raw >= 0) {
          position = raw;
          lineStarting = source.charAt(raw - 1) == '\n';
          raw(tag);
        } else {
          add(TokenType.BLOCK_BEGIN, "{%", tag);
          position = inside;
          tag(TokenType.BLOCK_END);
        }
      }
    }
  }

  private int nextTag() {
    for (int i = source.indexOf('{', position); i >= 0; i = source.indexOf('{', i + 1)) {
      if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return -1;
  }

  /** What is left of the text before a tag. */
  private String stripped(String text, char sign, boolean isBlock) {
    if (sign == '-') {
      return trimEnd(text);
    }
    if (sign == '+' || !isBlock) {
      return text;
    }
    int line = text.lastIndexOf('\n') + 1;
    boolean indents = line < text.length() && (line > 0 || lineStarting);
    return indents && trimEnd(text.substring(line)).isEmpty() ? text.substring(0, line) : text;
  }

  private static String trimEnd(String text) {
    int end = text.length();
    while (end > 0 && Whitespace.is(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(0, end);
  }

  private void data(String text, int at) {
    if (!text.isEmpty()) {
      add(TokenType.DATA, text, at);
    }
  }

  private void comment(int tag) {
    int end = source.indexOf("#}", position);
    if (end < 0) {
      throw lines.error("Missing end of comment tag", tag);
    }
    char sign = end > position ? source.charAt(end - 1) : ' ';
    close(end + 2, sign, true);
  }

  /** Goes behind a tag and the white space that it takes with it. */
  private void close(int end, char sign, boolean trimsNewline) {
    position = end;
    if (sign == '-') {
      skipSpaces();
    } else if (sign != '+'
        && trimsNewline
        && position < source.length()
        && source.charAt(position) == '\n') {
      position++;
    }
    lineStarting = source.charAt(position - 1) == '\n';
  }

  private enum RawTag {
    BEGIN,
    END
  }

  /** Place behind {@code raw %}} if that stands at the place; else -1. */
  private int endOfRawTag(int from, String name, RawTag which) {
    int i = spacesFrom(from);
    if (!source.startsWith(name, i)) {
      return -1;
    }
    i = spacesFrom(i + name.length());
    if (source.startsWith("-%}", i)) {
      return spacesFrom(i + 3);
    }
    if (which == RawTag.END && source.startsWith("+%}", i)) {
      return i + 3;
    }
    if (!source.startsWith("%}", i)) {
      return -1;
    }
    int end = i + 2;
    boolean newline = end < source.length() && source.charAt(end) == '\n';
    return which == RawTag.END && newline ? end + 1 : end;
  }

  private void raw(int tag) {
    for (int i = source.indexOf("{%", position); i >= 0; i = source.indexOf("{%", i + 1)) {
      char sign = i + 2 < source.length() ? source.charAt(i + 2) : ' ';
      boolean signed = sign == '-' || sign == '+';
      int end = endOfRawTag(signed ? i + 3 : i + 2, "endraw", RawTag.END);
      if (end >= 0) {
        String text = source.substring(position, i);
        data(stripped(text, signed ? sign : ' ', true), position);
        position = end;
        lineStarting = source.charAt(end - 1) == '\n';
        return;
      }
    }
    throw lines.error("Missing end of raw directive", tag);
  }

  private void tag(TokenType endType) {
    String end = endType == TokenType.BLOCK_END ? "%}" : "}}";
    Deque<Character> brackets = new ArrayDeque<>();
    while (true) {
      skipSpaces();
      if (position >= source.length()) {
        return;
      }
      if (brackets.isEmpty() && atEnd(end, endType)) {
        return;
      }
      token(brackets);
    }
  }

  private boolean atEnd(String end, TokenType type) {
    char c = source.charAt(position);
    boolean signed = c == '-' || (c == '+' && type == TokenType.BLOCK_END);
    int at = signed ? position + 1 : position;
    if (!source.startsWith(end, at)) {
      return false;
    }
    add(type, end, position);
    close(at + 2, signed ? c : ' ', type == TokenType.BLOCK_END);
    return true;
  }

  private void token(Deque<Character> brackets) {
    int c = source.codePointAt(position);
    int start = position;
    if (c >= '0' && c <= '9') {
      NumberLiteral number = NumberLiteral.read(source, position);
      position = number.end();
      add(number.type(), number.value(), start);
    } else if (c == '\'' || c == '"') {
      string((char) c);
    } else if (isNamePart(c)) {
      while (position < source.length() && isNamePart(source.codePointAt(position))) {
        position += Character.charCount(source.codePointAt(position));
      }
      if (!isNameStart(c)) {
        throw lines.error("Invalid character in identifier", start);
      }
      add(TokenType.NAME, source.substring(start, position), start);
    } else {
      operator(brackets);
    }
  }

  private void string(char quote) {
    int start = position;
    int i = start + 1;
    while (i < source.length() && source.charAt(i) != quote) {
      i += source.charAt(i) == '\\' ? 2 : 1;
    }
    if (i >= source.length()) {
      throw lines.error("the text that begins here does not end", start);
    }
    position = i + 1;
    try {
      add(TokenType.STRING, StringLiteral.value(source.substring(start + 1, i)), start);
    } catch (IllegalArgumentException e) {
      throw lines.error(e.getMessage(), start);
    }
  }

  private void operator(Deque<Character> brackets) {
    TokenType type = Operator.at(source, position);
    if (type == null) {
      String found = new String(Character.toChars(source.codePointAt(position)));
      throw lines.error("unexpected char '" + found + "'", position);
    }
    switch (type) {
      case LBRACE -> brackets.push('}');
      case LPAREN -> brackets.push(')');
      case LBRACKET -> brackets.push(']');
      case RBRACE, RPAREN, RBRACKET -> {
        if (brackets.isEmpty()) {
          throw lines.error("unexpected '" + type.description() + "'", position);
        }
        char expected = brackets.pop();
        if (expected != type.description().charAt(0)) {
          throw lines.error(
              "unexpected '" + type.description() + "', expected '" + expected + "'", position);
        }
      }
      default -> {}
    }
    add(type, type.description(), position);
    position += type.description().length();
  }

  private static boolean isNamePart(int c) {
    return c == '_'
        || (c < 128
            ? Character.isLetterOrDigit(c)
            : Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c));
  }

  private static boolean isNameStart(int c) {
    return c == '_' || Character.isUnicodeIdentifierStart(c);
  }

  private void skipSpaces() {
    position = spacesFrom(position);
  }

  private int spacesFrom(int from) {
    int i = from;
    while (i < source.length() && Whitespace.is(source.charAt(i))) {
      i++;
    }
    return i;
  }

  private void add(TokenType type, Object value, int at) {
    tokens.add(new Token(type, value, lines.position(at)));
  }

  private static final class Lines {
    private final String source;
    private int line = 1;
    private int lineStart;
    private int seen;

    Lines(String source) {
      this.source = source;
    }

    /** Places are asked for from the beginning to the end. */
    Position position(int at) {
      if (at < seen) {
        line = 1;
        lineStart = 0;
        seen = 0;
      }
      for (int i = source.indexOf('\n', seen); i >= 0 && i < at; i = source.indexOf('\n', i + 1)) {
        line++;
        lineStart = i + 1;
      }
      seen = at;
      return new Position(line, source.codePointCount(lineStart, Math.max(lineStart, at)) + 1);
    }

    TemplateException error(String message, int at) {
      Position position = position(at);
      return TemplateException.syntax(message, position.line(), position.column());
    }
  }
}
