package dev.anneal.spark.progress;

import dev.anneal.spark.progress.ExecutorObituary.How;
import dev.anneal.spark.progress.ExecutorObituary.Obituary;
import dev.anneal.spark.progress.RankEvent.Failed.Cause;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;

/**
 * Which failure came first. A rank reports its failure before it leaves its peers, so what the
 * driver hears first is the cause; only a process that dies or hangs reports nothing, and then its
 * peers report how they lost it. Who is to blame is told from evidence alone: Spark's word for a
 * process that has ended, signs of life for one that hangs, and none for one that stands still.
 */
public final class FailureLog extends SparkListener {
  /** What Spark takes to tell of an executor after it has failed its task. */
  private static final Duration LOSS_NEWS = Duration.ofSeconds(2);

  /** What it takes where peers have only waited. */
  private static final Duration EXECUTOR_NEWS = Duration.ofSeconds(10);

  /** What it takes where a connection was closed: a process has ended, so its word will come. */
  private static final Duration DEATH_NEWS = Duration.ofSeconds(40);

  /** Of a process that gives signs of life once a second. */
  private static final Duration SIGN_NEWS = Duration.ofSeconds(3);

  private final Map<String, RankProcess> processes = new HashMap<>();
  private final List<RankEvent.Failed> failures = new ArrayList<>();
  private final Consumer<String> announce;
  private final ExecutorObituary obituaries;
  private final UnaryOperator<Duration> driverPause;
  private final Duration networkTimeout;
  private final Set<String> replaced;
  private int beingRead;
  private String lostProcess;
  private String lostBeforeItsRanks;
  private Obituary obituary;
  private RankEvent.DriverSilent driverSilent;
  private Duration pause = Duration.ZERO;

  /**
   * @param announce told the first cause as soon as it is known
   * @param obituaries asked about every executor that ends
   * @param driverPause for how long the driver has stood still, where that explains a silence of a
   *     length that ends now; else zero
   * @param networkTimeout for how long Spark waits for what it hears nothing of
   * @param replaced executors that the driver itself has told to end
   */
  public FailureLog(
      Consumer<String> announce,
      ExecutorObituary obituaries,
      UnaryOperator<Duration> driverPause,
      Duration networkTimeout,
      Set<String> replaced) {
    this.announce = announce;
    this.obituaries = obituaries;
    this.driverPause = driverPause;
    this.networkTimeout = networkTimeout;
    this.replaced = Set.copyOf(replaced);
  }

  public synchronized void started(RankEvent.Started rank) {
    processes.computeIfAbsent(rank.executor(), executor -> new RankProcess()).add(rank);
  }

  /** A process has given a sign of life. */
  public synchronized void alive(String executor) {
    RankProcess process = processes.get(executor);
    if (process != null) {
      process.alive();
    }
  }

  /** A process leaves since it does not hear of the driver. */
  public synchronized void driverSilent(RankEvent.DriverSilent silent) {
    driverSilent = driverSilent == null ? silent : driverSilent;
    pausedFor(driverPause.apply(Duration.ofSeconds(silent.seconds())));
  }

  /** For how long the driver has stood still lately, if executors may have given it up for that. */
  public Duration standstill() {
    return driverPause.apply(networkTimeout);
  }

  /** Takes a failure down. */
  public synchronized void failed(RankEvent.Failed failure) {
    if (!failure.cause().isLoss() && lostProcess == null && ownFailure().isEmpty()) {
      announce.accept(sentence(failure));
    }
    failures.add(failure);
  }

  @Override
  public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
    if (replaced.contains(removed.executorId())) {
      return;
    }
    Ending ending = Ending.of(removed.reason());
    Duration stoodStill =
        ending.hasExitCode() ? Duration.ZERO : driverPause.apply(ending.silence(networkTimeout));
    if (!stoodStill.isZero()) {
      // it was the driver that did not listen
      givenUpFor(removed.executorId(), stoodStill);
      return;
    }
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

  private synchronized void givenUpFor(String executor, Duration stoodStill) {
    if (processes.isEmpty() || processes.containsKey(executor)) {
      pausedFor(stoodStill);
    }
  }

  private synchronized void pausedFor(Duration stoodStill) {
    pause = pause.compareTo(stoodStill) < 0 ? stoodStill : pause;
    notifyAll();
  }

  private void lost(String executor, Obituary read) {
    RankProcess lost = processes.get(executor);
    if (lostProcess != null || (lost == null && lostBeforeItsRanks != null)) {
      return;
    }
    if (lost == null) {
      lostBeforeItsRanks =
          (read.how() == How.UNHEARD
                  ? "Spark heard nothing more of executor %s on %s, whose ranks had not begun (%s): look for it there, and at the network between the nodes."
                  : "Executor %s on %s was lost before its ranks began: %s")
              .formatted(executor, read.host(), read.text());
    } else {
      lostProcess =
          read.how() == How.UNHEARD
              ? "Spark heard nothing more of the process of %s (%s): process %s there has ended, stands still or cannot be reached."
                  .formatted(lost.names(), read.text(), lost.pid())
              : "The process of %s was lost: %s".formatted(lost.names(), read.text());
      if (ownFailure().isEmpty()) {
        announce.accept(lostProcess);
      }
    }
    obituary = read;
  }

  /**
   * The first cause in one sentence; empty where no rank has failed. Waits for news of a lost
   * process, or of the rank that knows more, if all that is known is that peers are missing.
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
        driversOwn()
            .or(() -> silent().map(this::missing))
            .or(() -> Optional.ofNullable(lostBeforeItsRanks))
            .or(() -> failures.stream().findFirst().map(FailureLog::sentence));
    // every other cause was announced when it came
    other.ifPresent(announce);
    return other;
  }

  private void awaitNews() throws InterruptedException {
    long start = System.nanoTime();
    while (ownFailure().isEmpty() && lostProcess == null && !isDriversOwn()) {
      boolean told = lostBeforeItsRanks != null && failures.isEmpty();
      if (told || System.nanoTime() - start > patience().toNanos()) {
        return;
      }
      wait(100);
    }
  }

  private Duration patience() {
    if (failures.isEmpty() && beingRead == 0) {
      return LOSS_NEWS;
    }
    if (beingRead > 0) {
      return DEATH_NEWS;
    }
    boolean lives =
        silent().filter(process -> process.silence().compareTo(SIGN_NEWS) < 0).isPresent();
    return switch (failures.get(0).cause()) {
      case PEER_CLOSED -> lives ? EXECUTOR_NEWS : DEATH_NEWS;
      // so that the sign was given after the failure
      case PEER_SILENT -> lives ? SIGN_NEWS.multipliedBy(2) : EXECUTOR_NEWS;
      default -> EXECUTOR_NEWS;
    };
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
        .or(
            () ->
                Optional.ofNullable(obituary)
                    .filter(read -> read.how() == How.BY_ITSELF)
                    .map(Obituary::text));
  }

  /** Spark's id of a process that hangs or stands still, as far as that can be told. */
  public synchronized Optional<String> hungExecutor() {
    return ownFailure().isPresent() || lostProcess != null || isDriversOwn()
        ? Optional.empty()
        : silent().map(RankProcess::executor);
  }

  private boolean isDriversOwn() {
    return driverSilent != null || !pause.isZero();
  }

  private Optional<String> driversOwn() {
    if (!isDriversOwn()) {
      return Optional.empty();
    }
    return Optional.of(
        pause.isZero()
            ? "The process of executor %s heard nothing of the driver for %s s and left: look at the network between them."
                .formatted(driverSilent.executor(), driverSilent.seconds())
            : "The driver stood still for %s s, and the ranks left it or were given up: look at what stopped its process, or at the load of its machine."
                .formatted(pause.toSeconds()));
  }

  /** What is known of the only process that has told of nothing. */
  private String missing(RankProcess process) {
    boolean lives = process.silence().compareTo(SIGN_NEWS) < 0;
    String names = process.names();
    long pid = process.pid();
    return switch (failures.get(0).cause()) {
      case PEER_CLOSED ->
          lives
              ? "The connection to the process of %s broke, although it lives: look at the network between the nodes."
                  .formatted(names)
              : "The connection to the process of %s was closed, and Spark has told nothing of its end: look for process %s there, and at the network between the nodes."
                  .formatted(names, pid);
      case PEER_SILENT ->
          lives
              ? "The process of %s did not answer its peers in time, although it lives: look at process %s there, or raise cluster.timeout."
                  .formatted(names, pid)
              : "The process of %s did not answer its peers in time and has given no sign of life for %s s: process %s there stands still, or its node cannot be reached."
                  .formatted(names, process.silence().toSeconds(), pid);
      default ->
          lives
              ? "The peers of the process of %s lost it, how is not known (%s), and it lives: look at process %s there, and at the network between the nodes."
                  .formatted(names, failures.get(0).message(), pid)
              : "The peers of the process of %s lost it, how is not known (%s), and it has given no sign of life for %s s: look for process %s there, and at the network between the nodes."
                  .formatted(names, failures.get(0).message(), process.silence().toSeconds(), pid);
    };
  }

  /** The process that alone has told of nothing, where all others have lost a peer. */
  private Optional<RankProcess> silent() {
    List<RankProcess> silent =
        processes.values().stream()
            .filter(process -> failures.stream().noneMatch(process::hasTold))
            .toList();
    return failures.isEmpty() || silent.size() != 1 ? Optional.empty() : Optional.of(silent.get(0));
  }

  /** The first failure that is not the loss of a peer. */
  private Optional<RankEvent.Failed> ownFailure() {
    return failures.stream().filter(failure -> !failure.cause().isLoss()).findFirst();
  }

  private static String sentence(RankEvent.Failed failure) {
    // of a loss nobody is to blame whom nothing is known of
    String what = failure.cause().isLoss() ? "was left alone" : "failed";
    return "Rank %s on %s %s: %s"
        .formatted(failure.rank(), failure.host(), what, failure.message());
  }
}
