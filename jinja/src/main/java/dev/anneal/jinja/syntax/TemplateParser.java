package dev.anneal.jinja.syntax;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** The body of a template and of each block in it. */
public final class TemplateParser {
  private static final int MAX_DEPTH = 100;

  private final TokenStream stream;
  private final ExpressionParser expressions;
  private final StatementParser statements;
  private final Deque<String> open = new ArrayDeque<>();

  private TemplateParser(List<Token> tokens) {
    this.stream = new TokenStream(tokens);
    this.expressions = new ExpressionParser(stream);
    this.statements = new StatementParser(stream, expressions, this);
  }

  /**
   * The syntax tree of a template.
   *
   * @throws dev.anneal.jinja.error.TemplateException if the text is not a template
   */
  public static List<Statement> parse(String template) {
    return new TemplateParser(Lexer.tokens(template)).statements(List.of());
  }

  /** What stands up to one of the tags, which is left to be taken. */
  List<Statement> body(String... ends) {
    // Jinja allows Python's colon
    stream.takeIf(TokenType.COLON);
    stream.expect(TokenType.BLOCK_END);
    List<Statement> body = statements(List.of(ends));
    if (stream.is(TokenType.EOF)) {
      throw stream.error(
          "unexpected end of template, expected the tag '"
              + String.join("' or '", ends)
              + "' of '"
              + open.peek()
              + "'");
    }
    return body;
  }

  /** What stands up to the tag, which is taken. */
  List<Statement> bodyWithEnd(String end) {
    List<Statement> body = body(end);
    stream.take();
    return body;
  }

  private List<Statement> statements(List<String> ends) {
    List<Statement> body = new ArrayList<>();
    List<Expression> output = new ArrayList<>();
    while (!stream.is(TokenType.EOF)) {
      Token token = stream.take();
      switch (token.type()) {
        case DATA -> output.add(new Expression.Data((String) token.value(), token.at()));
        case VARIABLE_BEGIN -> {
          output.add(expressions.tuple());
          stream.expect(TokenType.VARIABLE_END);
        }
        default -> {
          flush(output, body);
          if (stream.is(TokenType.NAME) && ends.contains((String) stream.current().value())) {
            return body;
          }
          body.add(statement());
          stream.expect(TokenType.BLOCK_END);
        }
      }
    }
    flush(output, body);
    return body;
  }

  private static void flush(List<Expression> output, List<Statement> body) {
    if (!output.isEmpty()) {
      body.add(new Statement.Output(List.copyOf(output), output.get(0).at()));
      output.clear();
    }
  }

  private Statement statement() {
    if (!stream.is(TokenType.NAME)) {
      throw stream.error("tag name expected, got '" + stream.current().describe() + "'");
    }
    if (open.size() >= MAX_DEPTH) {
      throw stream.error("tags are nested too deep");
    }
    String name = (String) stream.current().value();
    Statement statement;
    open.push(name);
    statement = statements.parse(name);
    open.pop();
    if (statement == null) {
      String innermost =
          open.isEmpty() ? "" : "; the innermost tag that is open is '" + open.peek() + "'";
      throw stream.error("unknown tag '" + name + "'" + innermost);
    }
    return statement;
  }
}
