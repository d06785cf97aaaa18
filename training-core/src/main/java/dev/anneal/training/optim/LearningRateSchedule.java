package dev.anneal.training.optim;

import java.io.Serializable;

/**
 * The factor on the base learning rate, with the names and values of Hugging Face transformers
 * ({@code get_scheduler} in {@code optimization.py}): from 0 up over {@code warmupSteps}, then by
 * {@code type}.
 *
 * @param options of the types that have some
 */
public record LearningRateSchedule(Type type, long warmupSteps, long totalSteps, Options options)
    implements Serializable {

  /** What follows the warm-up. */
  public enum Type {
    LINEAR,
    COSINE,
    CONSTANT,
    /** A cosine down to {@link Options#minRatio}. */
    COSINE_WITH_MIN_LR,
    /** {@link Options#cycles} cosines from 1 to 0 one after the other. */
    COSINE_WITH_RESTARTS,
    /**
     * 1, and then over the last {@link Options#decaySteps} down to {@link Options#minRatio}, from
     * which its warm-up rises too.
     */
    WARMUP_STABLE_DECAY
  }

  /** How {@link Type#WARMUP_STABLE_DECAY} goes down. */
  public enum Decay {
    LINEAR,
    COSINE,
    /** By one less the root of how far it is. */
    ONE_MINUS_SQRT
  }

  /**
   * What some types take.
   *
   * @param minRatio the smallest factor
   * @param cycles of {@link Type#COSINE_WITH_RESTARTS}
   * @param decaySteps of {@link Type#WARMUP_STABLE_DECAY}
   * @param decay likewise
   */
  public record Options(double minRatio, long cycles, long decaySteps, Decay decay)
      implements Serializable {
    /** Down to 0 in one go. */
    public static final Options NONE = new Options(0, 1, 0, Decay.COSINE);
  }

  /** For types without options. */
  public LearningRateSchedule(Type type, long warmupSteps, long totalSteps) {
    this(type, warmupSteps, totalSteps, Options.NONE);
  }

  /** The factor that optimizer step {@code step} (counted from 0) uses. */
  public double factor(long step) {
    if (step < warmupSteps) {
      double risen = (double) step / Math.max(1, warmupSteps);
      return type == Type.WARMUP_STABLE_DECAY ? atLeastMin(risen) : risen;
    }
    double rest = Math.max(1, totalSteps - warmupSteps);
    double progress = (step - warmupSteps) / rest;
    return switch (type) {
      case LINEAR -> Math.max(0.0, (totalSteps - step) / rest);
      case COSINE -> Math.max(0.0, 0.5 * (1 + Math.cos(Math.PI * (step - warmupSteps) / rest)));
      case CONSTANT -> 1;
      case COSINE_WITH_MIN_LR -> Math.max(0.0, atLeastMin(halfCosine(progress)));
      case COSINE_WITH_RESTARTS ->
          progress >= 1 ? 0 : Math.max(0.0, halfCosine((options.cycles() * progress) % 1));
      case WARMUP_STABLE_DECAY -> decayed(step);
    };
  }

  private double decayed(long step) {
    long stableUntil = totalSteps - options.decaySteps();
    if (step < stableUntil) {
      return 1;
    }
    if (step >= totalSteps) {
      return options.minRatio();
    }
    double progress = (double) (step - stableUntil) / Math.max(1, options.decaySteps());
    return Math.max(
        0.0,
        atLeastMin(
            switch (options.decay()) {
              case LINEAR -> 1 - progress;
              case COSINE -> halfCosine(progress);
              case ONE_MINUS_SQRT -> 1 - Math.sqrt(progress);
            }));
  }

  private static double halfCosine(double progress) {
    return 0.5 * (1 + Math.cos(Math.PI * progress));
  }

  private double atLeastMin(double factor) {
    return factor * (1 - options.minRatio()) + options.minRatio();
  }
}
