package dev.anneal.training.tensor;

/** Independent random streams from one seed. */
public final class Seeds {
  private Seeds() {}

  /** A seed for the stream that {@code keys} name, well mixed whatever the keys are. */
  public static long mix(long seed, long... keys) {
    long mixed = mix64(seed);
    for (long key : keys) {
      mixed = mix64(mixed ^ mix64(key + 0x9E3779B97F4A7C15L));
    }
    return mixed;
  }

  /** The finalizer of SplitMix64 (Steele, Lea, Flood 2014). */
  private static long mix64(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
