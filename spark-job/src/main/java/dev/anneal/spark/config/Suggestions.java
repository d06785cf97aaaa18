package dev.anneal.spark.config;

import dev.anneal.spark.BadRequestException;
import java.util.Comparator;
import org.apache.commons.text.similarity.LevenshteinDistance;

/** Finds what a mistyped key was meant to be. */
final class Suggestions {
  private Suggestions() {}

  static BadRequestException unknownKey(String name, String origin) {
    return new BadRequestException(
        "There is no key %s, which %s sets: did you mean %s?"
            .formatted(name, origin, nearest(name)));
  }

  static String nearest(String name) {
    return ConfigSchema.names()
        .min(Comparator.comparingInt(known -> distance(name, known)))
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
