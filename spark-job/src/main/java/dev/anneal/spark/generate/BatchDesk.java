package dev.anneal.spark.generate;

import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.train.PromptDesk;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.trainer.GenerationRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Hands out the prompts that wait, in batches of the same prompts whoever asks, and gives what
 * comes of them in their order.
 */
final class BatchDesk implements PromptDesk {
  /** Batches that may be ahead of the one that is waited for. */
  private static final int AHEAD = 1024;

  private final PromptSpool.Reader prompts;
  private final long count;
  private final int batchSize;
  private final ProgressDisplay display;
  private final AtomicLong taken;
  private final BlockingQueue<List<Completion>> done = new LinkedBlockingQueue<>();
  private final TreeMap<Long, Completion> early = new TreeMap<>();
  private volatile IOException failure;
  private volatile boolean generating;

  /**
   * @param prompts from the batch on that has the first to be answered
   * @param first number of that; what comes of those before it counts for nothing
   * @param count of all prompts
   */
  BatchDesk(
      PromptSpool.Reader prompts, long first, long count, int batchSize, ProgressDisplay display) {
    this.prompts = prompts;
    this.count = count;
    this.batchSize = batchSize;
    this.display = display;
    this.taken = new AtomicLong(first);
  }

  @Override
  public Optional<List<Prompt>> next() {
    if (prompts.next() == count || failure != null) {
      return Optional.empty();
    }
    if (prompts.next() - taken.get() >= (long) AHEAD * batchSize) {
      return Optional.of(List.of());
    }
    List<Prompt> batch = new ArrayList<>();
    try {
      while (batch.size() < batchSize && prompts.next() < count) {
        long index = prompts.next();
        batch.add(new Prompt(index, prompts.read().ids()));
      }
      return Optional.of(batch);
    } catch (IOException e) {
      failure = e;
      return Optional.empty();
    }
  }

  @Override
  public void done(List<Completion> completions) {
    done.add(completions);
  }

  @Override
  public void phase(String phase) {
    generating = phase.equals(GenerationRun.GENERATING);
    display.phaseOfRanks(phase);
  }

  @Override
  public void progress(RankEvent.Progress progress) {
    display.progress(progress);
  }

  /** Whether every prompt has its completion. */
  boolean isComplete() {
    return taken.get() == count;
  }

  /** Whether rank 0 has its model: others may before. */
  boolean isGenerating() {
    return generating;
  }

  /** Whether nothing waits to be taken. */
  boolean isDry() {
    return done.isEmpty();
  }

  /** The next completions in the order of their prompts; none if they do not come for a while. */
  List<Completion> take(long millis) throws InterruptedException {
    if (failure != null) {
      throw new JobFailedException(
          "The prompts cannot be read again (%s): free space in java.io.tmpdir."
              .formatted(failure.getMessage()),
          failure);
    }
    List<Completion> some = done.poll(millis, TimeUnit.MILLISECONDS);
    if (some == null) {
      return List.of();
    }
    for (Completion completion : some) {
      if (completion.prompt().index() >= taken.get()) {
        early.put(completion.prompt().index(), completion);
      }
    }
    List<Completion> inOrder = new ArrayList<>();
    while (!early.isEmpty() && early.firstKey() == taken.get()) {
      inOrder.add(early.pollFirstEntry().getValue());
      taken.incrementAndGet();
    }
    return inOrder;
  }
}
