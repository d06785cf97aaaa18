package dev.anneal.training.timing;

/** Takes down from when to when a rank's work lasts. No method throws. */
public interface Timings {
  /** For a span that concerns no layer in particular. */
  int NO_LAYER = -1;

  /** A stretch of work that ends when it is closed, also where the work has failed. */
  interface Span extends AutoCloseable {
    @Override
    void close();
  }

  /** A span that nobody takes down. */
  Span NOTHING = () -> {};

  /** Takes nothing down. */
  Timings OFF =
      new Timings() {
        @Override
        public Span device(Lane lane, String name, int layer) {
          return NOTHING;
        }

        @Override
        public Span layer(String name, int layer) {
          return NOTHING;
        }
      };

  /**
   * What the device's current stream is given until the span ends, which is on the same stream. It
   * counts among the step's times.
   *
   * @param layer or {@link #NO_LAYER}
   */
  Span device(Lane lane, String name, int layer);

  /**
   * A part of the step's computation, on the host and on the device. It is taken down for a trace
   * alone.
   *
   * @param layer or {@link #NO_LAYER}
   */
  Span layer(String name, int layer);
}
