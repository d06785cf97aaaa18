package dev.anneal.jinja.syntax;

import java.util.ArrayList;
import java.util.List;

/** The tags. */
final class StatementParser {
  private final TokenStream stream;
  private final ExpressionParser expressions;
  private final TargetParser targets;
  private final ImportParser imports;
  private final TemplateParser template;

  StatementParser(TokenStream stream, ExpressionParser expressions, TemplateParser template) {
    this.stream = stream;
    this.expressions = expressions;
    this.targets = new TargetParser(stream, expressions);
    this.imports = new ImportParser(stream, expressions, targets);
    this.template = template;
  }

  /** The statement of the tag at hand; null if there is no such tag. */
  Statement parse(String name) {
    return switch (name) {
      case "for" -> forLoop();
      case "if" -> ifStatement();
      case "block" -> block();
      case "extends" -> new Statement.Extends(behindName(), at());
      case "print" -> print();
      case "macro" -> macro();
      case "include" -> imports.include();
      case "from" -> imports.from();
      case "import" -> imports.whole();
      case "set" -> set();
      case "with" -> with();
      case "autoescape" -> autoescape();
      case "call" -> callBlock();
      case "filter" -> filterBlock();
      case "generation" -> {
        Position at = stream.take().at();
        yield new Statement.Generation(template.bodyWithEnd("endgeneration"), at);
      }
      case "break" -> new Statement.Break(stream.take().at());
      case "continue" -> new Statement.Continue(stream.take().at());
      default -> null;
    };
  }

  private Position at() {
    return stream.current().at();
  }

  private Expression behindName() {
    stream.take();
    return expressions.expression();
  }

  private Statement set() {
    Position at = stream.take().at();
    Expression target = targets.ofSet();
    if (stream.takeIf(TokenType.ASSIGN)) {
      return new Statement.Assign(target, expressions.tuple(), at);
    }
    Expression.Filter filter = (Expression.Filter) expressions.postfix().filters(null);
    return new Statement.AssignBlock(target, filter, template.bodyWithEnd("endset"), at);
  }

  private Statement forLoop() {
    Position at = stream.take().at();
    Expression target = targets.ofFor();
    stream.expectName("in");
    Expression iterable = expressions.tupleWithoutCondition("recursive");
    Expression test = stream.takeIfName("if") ? expressions.expression() : null;
    boolean recursive = stream.takeIfName("recursive");
    List<Statement> body = template.body("endfor", "else");
    List<Statement> otherwise =
        stream.take().isName("endfor") ? List.of() : template.bodyWithEnd("endfor");
    return new Statement.For(target, iterable, body, otherwise, test, recursive, at);
  }

  private Statement ifStatement() {
    Position at = stream.take().at();
    Expression test = expressions.tupleWithoutCondition("");
    List<Statement> body = template.body("elif", "else", "endif");
    List<Statement.If> elifs = new ArrayList<>();
    List<Statement> otherwise = List.of();
    Token end = stream.take();
    while (end.isName("elif")) {
      Position elifAt = at();
      Expression elifTest = expressions.tupleWithoutCondition("");
      List<Statement> elifBody = template.body("elif", "else", "endif");
      elifs.add(new Statement.If(elifTest, elifBody, List.of(), List.of(), elifAt));
      end = stream.take();
    }
    if (end.isName("else")) {
      otherwise = template.bodyWithEnd("endif");
    }
    return new Statement.If(test, body, elifs, otherwise, at);
  }

  private Statement with() {
    Position at = stream.take().at();
    List<Expression> names = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (!stream.is(TokenType.BLOCK_END)) {
      if (!names.isEmpty()) {
        stream.expect(TokenType.COMMA);
      }
      names.add(targets.ofWith());
      stream.expect(TokenType.ASSIGN);
      values.add(expressions.expression());
    }
    return new Statement.With(names, values, template.bodyWithEnd("endwith"), at);
  }

  private Statement autoescape() {
    Position at = stream.take().at();
    Expression enabled = expressions.expression();
    return new Statement.Autoescape(enabled, template.bodyWithEnd("endautoescape"), at);
  }

  private Statement block() {
    Position at = stream.take().at();
    String name = (String) stream.expect(TokenType.NAME).value();
    boolean scoped = stream.takeIfName("scoped");
    boolean required = stream.takeIfName("required");
    if (stream.is(TokenType.SUB)) {
      throw stream.error("block names may not contain hyphens, use an underscore instead");
    }
    List<Statement> body = template.bodyWithEnd("endblock");
    if (required && !body.stream().allMatch(StatementParser::isBlank)) {
      throw stream.error("required blocks can only contain comments or white space");
    }
    stream.takeIfName(name);
    return new Statement.Block(name, scoped, required, body, at);
  }

  private static boolean isBlank(Statement statement) {
    return statement instanceof Statement.Output output
        && output.nodes().stream()
            .allMatch(
                node ->
                    node instanceof Expression.Data data
                        && data.text().codePoints().allMatch(Whitespace::is));
  }

  private Statement print() {
    Position at = stream.take().at();
    List<Expression> nodes = new ArrayList<>();
    while (!stream.is(TokenType.BLOCK_END)) {
      if (!nodes.isEmpty()) {
        stream.expect(TokenType.COMMA);
      }
      nodes.add(expressions.expression());
    }
    return new Statement.Output(nodes, at);
  }

  private Statement macro() {
    Position at = stream.take().at();
    String name = targets.name(Expression.Use.STORE).name();
    Statement.Parameters parameters = parameters();
    return new Statement.Macro(name, parameters, template.bodyWithEnd("endmacro"), at);
  }

  private Statement callBlock() {
    Position at = stream.take().at();
    Statement.Parameters parameters =
        stream.is(TokenType.LPAREN) ? parameters() : new Statement.Parameters(List.of(), List.of());
    Expression call = expressions.expression();
    if (!(call instanceof Expression.Call known)) {
      throw TokenStream.error("expected call", at);
    }
    return new Statement.CallBlock(known, parameters, template.bodyWithEnd("endcall"), at);
  }

  private Statement.Parameters parameters() {
    List<Expression.Name> names = new ArrayList<>();
    List<Expression> defaults = new ArrayList<>();
    stream.expect(TokenType.LPAREN);
    while (!stream.is(TokenType.RPAREN)) {
      if (!names.isEmpty()) {
        stream.expect(TokenType.COMMA);
      }
      Expression.Name name = targets.name(Expression.Use.PARAMETER);
      if (names.stream().anyMatch(other -> other.name().equals(name.name()))) {
        throw TokenStream.error("duplicate argument '" + name.name() + "'", name.at());
      }
      names.add(name);
      if (stream.takeIf(TokenType.ASSIGN)) {
        defaults.add(expressions.expression());
      } else if (!defaults.isEmpty()) {
        throw stream.error("non-default argument follows default argument");
      }
    }
    stream.expect(TokenType.RPAREN);
    return new Statement.Parameters(names, defaults);
  }

  private Statement filterBlock() {
    Position at = stream.take().at();
    Expression.Filter filter =
        (Expression.Filter) expressions.postfix().filters(expressions.postfix().filter(null));
    return new Statement.FilterBlock(filter, template.bodyWithEnd("endfilter"), at);
  }
}
