package dev.anneal.training.generate;

import java.io.Serializable;

/**
 * How the next token is chosen, with the meaning and in the order that transformers gives these
 * settings: the penalty, the temperature, {@code top_k}, {@code top_p}, and a draw from what is
 * left.
 *
 * @param temperature what logits are divided by; 0 takes the likeliest token each time, and then
 *     {@code topK} and {@code topP} have no effect
 * @param topK only the tokens that are no less likely than the {@code topK}-th are drawn from; 0:
 *     all
 * @param topP only the likeliest tokens are drawn from, the fewest whose probabilities sum to
 *     {@code topP} or more; 1: all
 * @param repetitionPenalty what the positive logits of all tokens of the prompt and its
 *     continuation are divided by, and the negative ones multiplied with; 1: none
 * @param seed of the draws, with a prompt's index and the number of the token
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/generation/logits_process.py">
 *     transformers, {@code logits_process.py}</a>
 */
public record Sampling(
    double temperature, int topK, double topP, double repetitionPenalty, long seed)
    implements Serializable {

  /** The likeliest token each time. */
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 1, 0);

  /**
   * Checks the settings.
   *
   * @throws IllegalArgumentException if one is out of its range; says which
   */
  public Sampling {
    require(
        temperature >= 0 && Double.isFinite(temperature),
        "temperature is %s, but must be 0, which is greedy, or more.".formatted(temperature));
    require(topK >= 0, "top_k is %s, but must be 0, which is all, or more.".formatted(topK));
    require(topP >= 0 && topP <= 1, "top_p is %s, but must be from 0 to 1.".formatted(topP));
    require(
        repetitionPenalty > 0 && Double.isFinite(repetitionPenalty),
        "repetition_penalty is %s, but must be more than 0; 1 is none."
            .formatted(repetitionPenalty));
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalArgumentException(otherwise);
    }
  }

  /** Whether nothing is drawn. */
  public boolean isGreedy() {
    return temperature == 0;
  }
}
