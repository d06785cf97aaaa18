package dev.anneal.training.io;

/** What a message shows of a text in which anything may stand: one short line. */
public final class Excerpt {
  private static final int MOST_CHARACTERS = 120;

  private Excerpt() {}

  public static String of(String text) {
    String head =
        text.length() > MOST_CHARACTERS ? text.substring(0, MOST_CHARACTERS) + "..." : text;
    // line ends, and what a terminal would obey
    return head.replaceAll("[\\p{C}\\p{Zl}\\p{Zp}]", "?");
  }
}
