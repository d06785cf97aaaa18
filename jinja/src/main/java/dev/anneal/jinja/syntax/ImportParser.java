package dev.anneal.jinja.syntax;

import java.util.ArrayList;
import java.util.List;

/** Tags that name other templates, of which there are none: they fail where they are reached. */
final class ImportParser {
  private final TokenStream stream;
  private final ExpressionParser expressions;
  private final TargetParser targets;

  ImportParser(TokenStream stream, ExpressionParser expressions, TargetParser targets) {
    this.stream = stream;
    this.expressions = expressions;
    this.targets = targets;
  }

  Statement include() {
    Position at = stream.take().at();
    Expression template = expressions.expression();
    if (stream.isName("ignore") && stream.look().isName("missing")) {
      stream.take();
      stream.take();
    }
    context();
    return new Statement.Include(template, at);
  }

  Statement whole() {
    Position at = stream.take().at();
    Expression template = expressions.expression();
    stream.expectName("as");
    String name = targets.name(Expression.Use.STORE).name();
    context();
    return new Statement.Import(template, List.of(name), at);
  }

  Statement from() {
    Position at = stream.take().at();
    Expression template = expressions.expression();
    stream.expectName("import");
    List<String> names = new ArrayList<>();
    while (true) {
      if (!names.isEmpty()) {
        stream.expect(TokenType.COMMA);
      }
      if (context()) {
        break;
      }
      Expression.Name name = targets.name(Expression.Use.STORE);
      if (name.name().startsWith("_")) {
        throw TokenStream.error("names starting with an underline can not be imported", name.at());
      }
      names.add(stream.takeIfName("as") ? targets.name(Expression.Use.STORE).name() : name.name());
      if (context() || !stream.is(TokenType.COMMA)) {
        break;
      }
    }
    return new Statement.Import(template, names, at);
  }

  private boolean context() {
    boolean found =
        (stream.isName("with") || stream.isName("without")) && stream.look().isName("context");
    if (found) {
      stream.take();
      stream.take();
    }
    return found;
  }
}
