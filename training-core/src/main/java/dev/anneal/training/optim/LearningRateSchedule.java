package dev.anneal.training.optim;

import java.io.Serializable;

/**
 * The factor on the base learning rate, as in Hugging Face transformers ({@code
 * get_linear_schedule_with_warmup}, {@code get_cosine_schedule_with_warmup}, {@code
 * get_constant_schedule_with_warmup}): from 0 up over {@code warmupSteps}, then by {@code type}.
 */
public record LearningRateSchedule(Type type, long warmupSteps, long totalSteps)
    implements Serializable {

  /** What follows the warm-up. */
  public enum Type {
    LINEAR,
    COSINE,
    CONSTANT
  }

  /** The factor that optimizer step {@code step} (counted from 0) uses. */
  public double factor(long step) {
    if (step < warmupSteps) {
      return (double) step / Math.max(1, warmupSteps);
    }
    double rest = Math.max(1, totalSteps - warmupSteps);
    return switch (type) {
      case LINEAR -> Math.max(0.0, (totalSteps - step) / rest);
      case COSINE -> Math.max(0.0, 0.5 * (1 + Math.cos(Math.PI * (step - warmupSteps) / rest)));
      case CONSTANT -> 1;
    };
  }
}
