package dev.anneal.training.weights;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What a system property says in one of a few words. */
final class AskedWord {
  private AskedWord() {}

  /**
   * The word.
   *
   * @param usual without the property
   * @throws IllegalArgumentException if it is none of the words
   */
  static <E extends Enum<E>> E of(String property, E usual) {
    String asked = System.getProperty(property, usual.name());
    List<E> words = List.of(usual.getDeclaringClass().getEnumConstants());
    return words.stream()
        .filter(word -> word.name().equals(asked.toUpperCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "%s=%s is none of %s.".formatted(property, asked, listed(words))));
  }

  private static <E extends Enum<E>> String listed(List<E> words) {
    String[] names =
        words.stream().map(word -> word.name().toLowerCase(Locale.ROOT)).toArray(String[]::new);
    int last = names.length - 1;
    return String.join(", ", Arrays.copyOf(names, last)) + " and " + names[last];
  }
}
