package dev.anneal.spark.tracking;

import java.io.IOException;

/** One place where somebody keeps runs; called by one thread of its own, see TrackerThread. */
public interface Tracker {

  /** As a sentence calls it. */
  String name();

  /**
   * Brings there what was measured and is not there yet.
   *
   * @throws Refusal if it will never work
   * @throws IOException if it does not work now; the next call tries again
   */
  void update() throws IOException, InterruptedException;

  /** The run is over, and {@link #update} has brought everything there. */
  void end(RunEnd end) throws IOException, InterruptedException;

  /**
   * The run goes on from an earlier step; what came after it is measured again.
   *
   * @param step the last that counts
   */
  default void rewound(long step) {}

  /** It will never work, and the sentence says why. */
  final class Refusal extends IOException {
    private static final long serialVersionUID = 1L;

    public Refusal(String sentence) {
      super(sentence);
    }
  }
}
