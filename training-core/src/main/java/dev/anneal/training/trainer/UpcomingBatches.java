package dev.anneal.training.trainer;

import dev.anneal.training.data.TokenSequence;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;

/**
 * A rank's micro-batches step after step, read some steps ahead, so that what depends on the
 * lengths of their rows can be ready when they are computed.
 */
final class UpcomingBatches {
  /** Micro-batches ahead, but a step's at least: some seconds of work at 8B. */
  private static final int AHEAD = 32;

  /** Steps that are read in one: the distance grows by one a step, and no step waits for it all. */
  private static final int READ_IN_A_STEP = 2;

  private final GlobalBatches batches;
  private final long ahead;
  private final long end;
  private final Consumer<List<TokenSequence>> expected;
  private final Deque<List<List<TokenSequence>>> read = new ArrayDeque<>();
  private long next;
  private boolean failed;

  /**
   * Nothing is read yet.
   *
   * @param begin the first step, counted from 0
   * @param expected told of every micro-batch that is read ahead
   */
  UpcomingBatches(
      TrainingSpec spec,
      GlobalBatches batches,
      long begin,
      Consumer<List<TokenSequence>> expected) {
    this.batches = batches;
    this.ahead = Math.max(1, AHEAD / spec.batches().gradientAccumulation());
    this.end = spec.batches().totalSteps();
    this.expected = expected;
    this.next = begin;
  }

  /** Whether the next step waits for nothing. */
  boolean areRead() {
    return !read.isEmpty();
  }

  /** Those of the next step, of which there is one; read now if they are not yet. */
  List<List<TokenSequence>> take() throws IOException {
    if (areRead()) {
      return read.remove();
    }
    List<List<TokenSequence>> step = batches.read(next);
    next++;
    failed = false;
    return step;
  }

  /** Reads on, while the device works. What cannot be read fails when its step comes. */
  void readAhead() {
    for (int i = 0; i < READ_IN_A_STEP && read.size() < ahead && next < end && !failed; i++) {
      List<List<TokenSequence>> step;
      try {
        step = batches.read(next);
      } catch (IOException | RuntimeException e) {
        // the steps before it are not to be lost: take() reads it again, and says what is wrong
        failed = true;
        return;
      }
      next++;
      read.add(step);
      step.forEach(expected);
    }
  }
}
