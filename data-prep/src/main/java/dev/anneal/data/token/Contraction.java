package dev.anneal.data.token;

/** What patterns keep together behind an apostrophe: {@code s t re ve m ll d}. */
final class Contraction {
  private Contraction() {}

  /**
   * The end of one in letters of either case; 0 where there is none.
   *
   * @param at the place behind the apostrophe
   */
  static int end(char[] text, int at, int limit) {
    if (at >= limit) {
      return 0;
    }
    return switch (text[at]) {
      case 's', 'S', 't', 'T', 'm', 'M', 'd', 'D' -> at + 1;
      case 'r', 'R', 'v', 'V' -> isLetter(text, at + 1, limit, 'e') ? at + 2 : 0;
      case 'l', 'L' -> isLetter(text, at + 1, limit, 'l') ? at + 2 : 0;
      default -> 0;
    };
  }

  /** Likewise of one in small letters. */
  static int lowerCaseEnd(char[] text, int at, int limit) {
    int end = end(text, at, limit);
    for (int i = at; i < end; i++) {
      if (text[i] < 'a') {
        return 0;
      }
    }
    return end;
  }

  private static boolean isLetter(char[] text, int at, int limit, char lowerCase) {
    return at < limit && (text[at] | 0x20) == lowerCase;
  }
}
