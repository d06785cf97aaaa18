package dev.anneal.jinja.syntax;

/** Finds the operators, the longer before the shorter. */
final class Operator {
  private Operator() {}

  /** The operator at the place; null if there is none. */
  static TokenType at(String source, int position) {
    char next = position + 1 < source.length() ? source.charAt(position + 1) : ' ';
    return switch (source.charAt(position)) {
      case '+' -> TokenType.ADD;
      case '-' -> TokenType.SUB;
      case '/' -> next == '/' ? TokenType.FLOORDIV : TokenType.DIV;
      case '*' -> next == '*' ? TokenType.POW : TokenType.MUL;
      case '%' -> TokenType.MOD;
      case '~' -> TokenType.TILDE;
      case '[' -> TokenType.LBRACKET;
      case ']' -> TokenType.RBRACKET;
      case '(' -> TokenType.LPAREN;
      case ')' -> TokenType.RPAREN;
      case '{' -> TokenType.LBRACE;
      case '}' -> TokenType.RBRACE;
      case '=' -> next == '=' ? TokenType.EQ : TokenType.ASSIGN;
      case '!' -> next == '=' ? TokenType.NE : null;
      case '>' -> next == '=' ? TokenType.GTEQ : TokenType.GT;
      case '<' -> next == '=' ? TokenType.LTEQ : TokenType.LT;
      case '.' -> TokenType.DOT;
      case ':' -> TokenType.COLON;
      case '|' -> TokenType.PIPE;
      case ',' -> TokenType.COMMA;
      case ';' -> TokenType.SEMICOLON;
      default -> null;
    };
  }
}
