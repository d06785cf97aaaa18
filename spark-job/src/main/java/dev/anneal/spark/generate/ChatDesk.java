package dev.anneal.spark.generate;

import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.train.PromptDesk;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.trainer.GenerationRun;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Hands out one prompt after the other, and hears of each token of the answer. */
final class ChatDesk implements PromptDesk {
  private final ProgressDisplay display;
  private final CountDownLatch ready = new CountDownLatch(1);
  private final BlockingQueue<Heard> heard = new LinkedBlockingQueue<>();
  private Prompt asked;
  private boolean over;
  private volatile boolean interrupted;

  /**
   * @param display for the loading of the model
   */
  ChatDesk(ProgressDisplay display) {
    this.display = display;
  }

  /**
   * What comes of a prompt.
   *
   * @param token of the answer
   * @param completion the whole answer in the place of a token, or {@code null}
   */
  record Heard(int token, Completion completion) {}

  /** Whether the model is there after so long a wait. */
  boolean isReady(long millis) throws InterruptedException {
    return ready.await(millis, TimeUnit.MILLISECONDS);
  }

  /** Asks for the answer to a prompt, once that to the one before has come. */
  synchronized void ask(Prompt prompt) {
    interrupted = false;
    asked = prompt;
  }

  /** Lets the ranks leave. */
  synchronized void close() {
    over = true;
  }

  /**
   * Ends the answer that is under way with its next token.
   *
   * @return whether this has been asked before
   */
  boolean interrupt() {
    boolean before = interrupted;
    interrupted = true;
    return before;
  }

  boolean isInterrupted() {
    return interrupted;
  }

  /** What comes next; empty if nothing comes for a while. */
  Optional<Heard> hear(long millis) throws InterruptedException {
    return Optional.ofNullable(heard.poll(millis, TimeUnit.MILLISECONDS));
  }

  @Override
  public synchronized Optional<List<Prompt>> next() {
    if (over) {
      return Optional.empty();
    }
    List<Prompt> next = asked == null ? List.of() : List.of(asked);
    asked = null;
    return Optional.of(next);
  }

  @Override
  public boolean token(long prompt, int token) {
    heard.add(new Heard(token, null));
    return interrupted;
  }

  @Override
  public void done(List<Completion> completions) {
    completions.forEach(completion -> heard.add(new Heard(0, completion)));
  }

  @Override
  public void phase(String phase) {
    if (phase.equals(GenerationRun.GENERATING)) {
      display.line("Ready: /help tells what there is beside talking.");
      ready.countDown();
    } else {
      display.phaseOfRanks(phase);
    }
  }

  @Override
  public void progress(RankEvent.Progress progress) {
    display.progress(progress);
  }
}
