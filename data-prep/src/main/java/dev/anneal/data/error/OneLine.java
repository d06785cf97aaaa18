package dev.anneal.data.error;

/** A message in one line that is not long, whatever it quotes. */
public final class OneLine {
  private static final int MOST_CHARACTERS = 800;

  private OneLine() {}

  /**
   * The message with a space for each line end and for what a terminal would obey; of a long one
   * its begin, which says what and where, and its end, which says what to do.
   */
  public static String of(String message) {
    String shortened = message;
    if (message.length() > MOST_CHARACTERS) {
      int half = MOST_CHARACTERS / 2;
      shortened = message.substring(0, half) + "..." + message.substring(message.length() - half);
    }
    return shortened.replaceAll("[\\p{C}\\p{Zl}\\p{Zp}]+", " ");
  }
}
