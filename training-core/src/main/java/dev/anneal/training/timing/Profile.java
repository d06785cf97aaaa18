package dev.anneal.training.timing;

import java.util.List;

/**
 * What one rank did in a few steps.
 *
 * @param firstStep counted from 1
 * @param lastStep counted from 1
 * @param spans in the order in which they were taken down
 * @param isCut whether there were more than are kept
 */
public record Profile(
    int rank, long firstStep, long lastStep, List<ProfiledSpan> spans, boolean isCut) {
  public Profile {
    spans = List.copyOf(spans);
  }

  /**
   * A stretch of work.
   *
   * @param name with its layer, if it concerns one
   * @param step in which it was given to whoever does it
   * @param beginNanos nanoseconds since 1970, by the clock of the rank's host
   * @param endNanos likewise
   */
  public record ProfiledSpan(Lane lane, String name, long step, long beginNanos, long endNanos) {}
}
