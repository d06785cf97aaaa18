package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.SoakPlace.Checkpoint;
import dev.anneal.spark.s3.FaultyStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.stream.Stream;

/** One long run that is disturbed again and again, and started again when its driver was ended. */
final class Soak implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMinutes(4);
  private static final Duration END = Duration.ofMinutes(20);
  private static final int FAILURE = 1;

  private final Faults faults;
  private final SoakPlace place;
  private final String[] options;
  private final Paced paced;
  private final Random random;
  private SubmittedJob job;
  private final List<String> heard = new ArrayList<>();
  private int outHeard;
  private int errHeard;

  Soak(Faults faults, SoakPlace place, List<String> settings, Random random) throws Exception {
    this.faults = faults;
    this.place = place;
    this.options =
        Stream.concat(settings.stream(), place.options().stream()).toArray(String[]::new);
    this.random = random;
    this.paced = Paced.in(faults.folder());
    start();
  }

  Random random() {
    return random;
  }

  FaultCluster cluster() {
    return faults.cluster();
  }

  FaultyStore store() {
    return ((SoakStore) place).store();
  }

  SoakDisk disk() {
    return (SoakDisk) place;
  }

  SubmittedJob job() {
    return job;
  }

  /** An executor that trains; waits for one. */
  ProcessHandle anExecutor() throws Exception {
    Await.until(
        PATIENCE, () -> "nobody trains: " + job.out() + job.err(), () -> !training().isEmpty());
    List<ProcessHandle> training = training();
    return training.get(random.nextInt(training.size()));
  }

  private List<ProcessHandle> training() {
    return faults.cluster().executors().stream().filter(Soak::trains).toList();
  }

  /**
   * Whether a process has the thread of a rank and runs: of one that stands still for good, which
   * its worker has yet to end, nobody waits for anything any more.
   */
  private static boolean trains(ProcessHandle executor) {
    Path process = Path.of("/proc", executor.pid() + "");
    try (Stream<Path> threads = Files.list(process.resolve("task"))) {
      String state = Files.readString(process.resolve("stat"));
      if (state.startsWith(" T", state.lastIndexOf(')') + 1)) {
        return false;
      }
      for (Path thread : threads.toList()) {
        if (Files.readString(thread.resolve("comm")).startsWith("rank ")) {
          return true;
        }
      }
      return false;
    } catch (IOException gone) {
      return false;
    }
  }

  /** How often training has been begun again by this driver. */
  long retries() throws IOException {
    return job.out().lines().filter(line -> line.startsWith("Beginning again ")).count();
  }

  /** Waits for the end of a driver that has been ended, and starts the same command again. */
  void startAgain() throws Exception {
    job.await();
    listen(false);
    job.close();
    start();
  }

  private void start() throws Exception {
    job = faults.start("run", place.output(), paced, options);
    outHeard = 0;
    errHeard = 0;
  }

  /** What the run has said since the last call, line by line. */
  List<String> hear() throws IOException {
    listen(true);
    List<String> lines = List.copyOf(heard);
    heard.clear();
    return lines;
  }

  /** Takes down what is new; a line that may go on only where {@code stillRuns} does not hold. */
  private void listen(boolean stillRuns) throws IOException {
    outHeard = listen(job.out(), outHeard, stillRuns);
    errHeard = listen(job.err(), errHeard, stillRuns);
  }

  private int listen(String said, int from, boolean stillRuns) {
    int to = stillRuns ? said.lastIndexOf('\n') + 1 : said.length();
    said.substring(from, Math.max(from, to)).lines().forEach(heard::add);
    return Math.max(from, to);
  }

  /** Waits for the first checkpoint of the run. */
  boolean awaitBegin() throws Exception {
    return await(() -> place.lastCheckpoint().step() > 0);
  }

  /**
   * Waits until what was done is overcome; false: the run has come to its end.
   *
   * @param before it was done
   * @param step of a checkpoint that is only taken when it is over
   */
  boolean awaitRecovery(SoakFault fault, Checkpoint before, int step) throws Exception {
    Callable<Boolean> overcome =
        switch (fault.effect()) {
          case NEW_ATTEMPT -> () -> !place.lastCheckpoint().attempt().equals(before.attempt());
          case DELAY, MAY_END -> () -> place.lastCheckpoint().step() >= step;
        };
    boolean running = await(overcome);
    if (!running && fault.effect() == SoakFault.Effect.MAY_END && job.await() == FAILURE) {
      startAgain();
      running = await(overcome);
    }
    return running;
  }

  private boolean await(Callable<Boolean> condition) throws Exception {
    Await.until(
        PATIENCE,
        () -> "it gets no further:%n%s%s".formatted(job.out(), job.err()),
        () -> condition.call() || !job.isRunning());
    return job.isRunning();
  }

  /** Asserts that the run, which nobody disturbs any more, comes to its end. */
  void awaitEnd() throws Exception {
    paced.release();
    assertThat(job.await(END)).as(job.out() + job.err()).isZero();
  }

  @Override
  public void close() {
    job.close();
  }
}
