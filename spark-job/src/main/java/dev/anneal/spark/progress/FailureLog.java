package dev.anneal.spark.progress;

import dev.anneal.spark.progress.ExecutorObituary.Obituary;
import dev.anneal.spark.progress.RankEvent.Failed.Cause;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;

/**
 * Which failure came first. A rank reports its failure before it leaves its peers, so what the
 * driver hears first is the cause; only a process that dies reports nothing, and then its peers
 * report that they lost it.
 */
public final class FailureLog extends SparkListener {
  private static final Duration EXECUTOR_NEWS = Duration.ofSeconds(10);

  /** What Spark takes to tell of an executor after it has failed its task. */
  private static final Duration LOSS_NEWS = Duration.ofSeconds(2);

  private final Map<String, List<RankEvent.Started>> ranks = new HashMap<>();
  private final List<RankEvent.Failed> failures = new ArrayList<>();
  private final Consumer<String> announce;
  private final ExecutorObituary obituaries;
  private int beingRead;
  private String lostProcess;
  private String lostBeforeItsRanks;
  private Obituary obituary;

  /**
   * @param announce told the first cause as soon as it is known
   * @param obituaries asked about every executor that ends
   */
  public FailureLog(Consumer<String> announce, ExecutorObituary obituaries) {
    this.announce = announce;
    this.obituaries = obituaries;
  }

  public synchronized void started(RankEvent.Started rank) {
    ranks.computeIfAbsent(rank.executor(), executor -> new ArrayList<>()).add(rank);
  }

  /** Takes a failure down. */
  public synchronized void failed(RankEvent.Failed failure) {
    if (failure.cause() != Cause.LOST_PEER && lostProcess == null && ownFailure().isEmpty()) {
      announce.accept(sentence(failure));
    }
    failures.add(failure);
  }

  @Override
  public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
    synchronized (this) {
      beingRead++;
    }
    // not while others wait: it may ask another machine
    Obituary read = obituaries.of(removed.executorId(), removed.reason());
    synchronized (this) {
      beingRead--;
      lost(removed.executorId(), read);
      notifyAll();
    }
  }

  private void lost(String executor, Obituary read) {
    List<RankEvent.Started> lost = ranks.get(executor);
    if (lostProcess != null || (lost == null && lostBeforeItsRanks != null)) {
      return;
    }
    if (lost == null) {
      lostBeforeItsRanks =
          "Executor %s on %s was lost before its ranks began: %s"
              .formatted(executor, read.host(), read.text());
    } else {
      lostProcess =
          "The process of %s on %s was lost: %s"
              .formatted(names(lost), lost.get(0).host(), read.text());
      if (ownFailure().isEmpty()) {
        announce.accept(lostProcess);
      }
    }
    obituary = read;
  }

  /**
   * The first cause in one sentence; empty where no rank has failed. Waits a moment for news of a
   * lost process, or of the rank that knows more, if all that is known is that peers are missing.
   */
  public synchronized Optional<String> firstCause() throws InterruptedException {
    awaitNews();
    Optional<RankEvent.Failed> own = ownFailure();
    if (own.isPresent()) {
      return own.map(FailureLog::sentence);
    }
    if (lostProcess != null) {
      return Optional.of(lostProcess);
    }
    Optional<String> other =
        hung()
            .or(() -> Optional.ofNullable(lostBeforeItsRanks))
            .or(() -> failures.stream().findFirst().map(FailureLog::sentence));
    // every other cause was announced when it came
    other.ifPresent(announce);
    return other;
  }

  private void awaitNews() throws InterruptedException {
    long start = System.nanoTime();
    while (ownFailure().isEmpty() && lostProcess == null) {
      boolean told = lostBeforeItsRanks != null && failures.isEmpty();
      Duration patience = failures.isEmpty() && beingRead == 0 ? LOSS_NEWS : EXECUTOR_NEWS;
      if (told || System.nanoTime() - start > patience.toNanos()) {
        return;
      }
      wait(100);
    }
  }

  /**
   * {@link #firstCause}, or where no rank has told of one, {@code otherwise}, which is announced.
   */
  public String firstCauseOr(String otherwise) throws InterruptedException {
    Optional<String> cause = firstCause();
    if (cause.isEmpty()) {
      announce.accept(otherwise);
    }
    return cause.orElse(otherwise);
  }

  /** Whether a repetition would meet the same. */
  public synchronized boolean isHopeless() {
    return ownFailure().filter(failure -> failure.cause() == Cause.REQUEST).isPresent();
  }

  /**
   * What an attempt would meet again if the cause is no accident, without the names and numbers of
   * this one; empty where peers, machines or signals have ended it.
   */
  public synchronized Optional<String> repeatable() {
    return ownFailure()
        .map(RankEvent.Failed::message)
        .or(() -> Optional.ofNullable(obituary).filter(Obituary::byItself).map(Obituary::text));
  }

  /** Spark's id of a process that hangs, as far as that can be told. */
  public synchronized Optional<String> hungExecutor() {
    return ownFailure().isPresent() || lostProcess != null
        ? Optional.empty()
        : silent().map(process -> process.get(0).executor());
  }

  private Optional<String> hung() {
    return silent()
        .map(
            process ->
                "The process of %s on %s did not answer its peers in time: look at process %d there, or raise cluster.timeout."
                    .formatted(names(process), process.get(0).host(), process.get(0).pid()));
  }

  /** The process that alone has told of nothing, where all others have lost a peer. */
  private Optional<List<RankEvent.Started>> silent() {
    List<List<RankEvent.Started>> silent =
        ranks.values().stream()
            .filter(process -> process.stream().noneMatch(this::hasFailed))
            .toList();
    return failures.isEmpty() || silent.size() != 1 ? Optional.empty() : Optional.of(silent.get(0));
  }

  private boolean hasFailed(RankEvent.Started rank) {
    return failures.stream().anyMatch(failure -> failure.rank() == rank.rank());
  }

  /** The first failure that is not the loss of a peer. */
  private Optional<RankEvent.Failed> ownFailure() {
    return failures.stream().filter(failure -> failure.cause() != Cause.LOST_PEER).findFirst();
  }

  private static String sentence(RankEvent.Failed failure) {
    return "Rank %d on %s failed: %s".formatted(failure.rank(), failure.host(), failure.message());
  }

  private static String names(List<RankEvent.Started> ranks) {
    int first = ranks.get(0).rank();
    return ranks.size() == 1
        ? "rank " + first
        : "ranks %d to %d".formatted(first, ranks.get(ranks.size() - 1).rank());
  }
}
