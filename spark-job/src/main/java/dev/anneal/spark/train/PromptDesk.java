package dev.anneal.spark.train;

import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.Prompt;
import java.util.List;
import java.util.Optional;

/**
 * The driver's side of the ranks that answer prompts. It is called by one thread, whose answers the
 * ranks wait for.
 */
public interface PromptDesk {
  /**
   * What a rank goes on from next.
   *
   * @return no prompts where there are none yet; empty where no more will come
   */
  Optional<List<Prompt>> next();

  /** What has come of prompts that {@link #next} gave. */
  void done(List<Completion> completions);

  /**
   * The next token of the continuation of a prompt; only those that are streamed are told.
   *
   * @return whether the continuation ends there
   */
  default boolean token(long prompt, int token) {
    return false;
  }

  /** Something long begins on rank 0. */
  void phase(String phase);

  /** How far rank 0 is with it. */
  void progress(RankEvent.Progress progress);
}
