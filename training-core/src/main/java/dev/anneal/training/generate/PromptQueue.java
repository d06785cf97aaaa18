package dev.anneal.training.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Hands out prompts for as long as a model is held, and takes what has come of them. */
public interface PromptQueue {
  /**
   * What to go on from next, side by side; only rank 0 is asked.
   *
   * @return no prompts where there are none yet, so that the caller asks again; empty where no more
   *     will come
   */
  Optional<List<Prompt>> next();

  /** What has come of the prompts that {@link #next} gave last; every rank tells. */
  void done(List<Completion> completions);

  /** What {@link #next} gave as numbers, for ranks to tell one another. */
  static long[] numbers(Optional<List<Prompt>> next) {
    if (next.isEmpty()) {
      return new long[0];
    }
    List<long[]> parts = new ArrayList<>();
    parts.add(new long[] {next.get().size()});
    for (Prompt prompt : next.get()) {
      parts.add(new long[] {prompt.index(), prompt.ids().length});
      parts.add(Arrays.stream(prompt.ids()).asLongStream().toArray());
    }
    return parts.stream().flatMapToLong(Arrays::stream).toArray();
  }

  /** What {@link #numbers} was given. */
  static Optional<List<Prompt>> of(long[] numbers) {
    if (numbers.length == 0) {
      return Optional.empty();
    }
    List<Prompt> prompts = new ArrayList<>();
    int at = 1;
    while (prompts.size() < numbers[0]) {
      int from = at + 2;
      int to = from + (int) numbers[at + 1];
      int[] ids = Arrays.stream(numbers, from, to).mapToInt(id -> (int) id).toArray();
      prompts.add(new Prompt(numbers[at], ids));
      at = to;
    }
    return Optional.of(prompts);
  }
}
