package dev.anneal.training.tensor;

/** Independent random streams from one seed. */
public final class Seeds {
  private Seeds() {}

  /** A seed for the stream that {@code keys} name, well mixed whatever the keys are. */
  public static long mix(long seed, long... keys) {
    long mixed = finalize(seed);
    for (long key : keys) {
      mixed = finalize(mixed ^ finalize(key + 0x9E3779B97F4A7C15L));
    }
    return mixed;
  }

  /** The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
  private static long finalize(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
