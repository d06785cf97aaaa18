package dev.anneal.training.generate;

import java.io.Serializable;
import java.util.Set;

/**
 * What is asked of a model beside its prompts.
 *
 * @param maxNewTokens longest continuation, in tokens
 * @param stopTokens ids at which a continuation ends, see {@link StopTokens}
 */
public record GenerationSpec(int maxNewTokens, Sampling sampling, Set<Integer> stopTokens)
    implements Serializable {

  public GenerationSpec {
    if (maxNewTokens < 0) {
      throw new IllegalArgumentException(
          "the most new tokens are %s, but must not be negative.".formatted(maxNewTokens));
    }
    stopTokens = Set.copyOf(stopTokens);
  }
}
