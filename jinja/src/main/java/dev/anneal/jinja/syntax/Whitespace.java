package dev.anneal.jinja.syntax;

/** White space as Python's {@code str.isspace} and {@code \s} have it. */
public final class Whitespace {
  private Whitespace() {}

  public static boolean is(int c) {
    if (c < 0x80) {
      return c == ' ' || (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x1f);
    }
    return switch (c) {
      case 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 -> true;
      default -> c >= 0x2000 && c <= 0x200a;
    };
  }
}
