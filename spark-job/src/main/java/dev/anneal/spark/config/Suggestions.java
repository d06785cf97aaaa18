package dev.anneal.spark.config;

import dev.anneal.spark.BadRequestException;
import dev.anneal.training.io.Excerpt;
import java.util.Comparator;
import org.apache.commons.text.similarity.LevenshteinDistance;

/** Finds what a mistyped key was meant to be. */
final class Suggestions {
  private static final int MOST_COMPARED = 100;

  private Suggestions() {}

  static BadRequestException unknownKey(String name, String origin) {
    return new BadRequestException(
        "There is no key %s, which %s sets: did you mean %s?"
            .formatted(Excerpt.of(name), origin, nearest(name)));
  }

  static String nearest(String name) {
    // nothing is near a name that is many times too long, and each character takes its time
    String begin = name.substring(0, Math.min(name.length(), MOST_COMPARED));
    return ConfigSchema.names()
        .min(Comparator.comparingInt(known -> distance(begin, known)))
        .orElseThrow();
  }

  // A key in the wrong section is one error away from the same name in the right one.
  private static int distance(String name, String known) {
    LevenshteinDistance edits = LevenshteinDistance.getDefaultInstance();
    return Math.min(edits.apply(name, known), 1 + edits.apply(lastPart(name), lastPart(known)));
  }

  private static String lastPart(String name) {
    return name.substring(name.lastIndexOf('.') + 1);
  }
}
