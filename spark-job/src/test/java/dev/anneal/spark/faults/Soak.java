package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.StoreRequest;
import dev.anneal.spark.s3.StoreRequest.Fate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** One long run that is disturbed again and again, and started again when its driver was ended. */
final class Soak implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMinutes(4);
  private static final Pattern MANIFEST = Pattern.compile("checkpoints/step-(\\d+)/manifest.json");
  private static final Pattern PART = Pattern.compile("checkpoints/step-(\\d+)/([^/]+)/rank-.*");

  private final Faults faults;
  private final StoreOutput output;
  private final String[] options;
  private final Random random;
  private SubmittedJob job;
  private final Map<Integer, String> attempts = new HashMap<>();
  private Checkpoint last = new Checkpoint(0, "");

  Soak(Faults faults, StoreOutput output, List<String> options, Random random) throws Exception {
    this.faults = faults;
    this.output = output;
    this.options = options.toArray(String[]::new);
    this.random = random;
    start();
  }

  Random random() {
    return random;
  }

  FaultCluster cluster() {
    return faults.cluster();
  }

  FaultyStore store() {
    return output.store();
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

  /** Whether a process has the thread of a rank. */
  private static boolean trains(ProcessHandle executor) {
    try (Stream<Path> threads = Files.list(Path.of("/proc", executor.pid() + "", "task"))) {
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
    job.close();
    start();
  }

  private void start() throws Exception {
    job = faults.start("run", output, options);
  }

  /** A complete checkpoint, and the attempt that took it. */
  record Checkpoint(int step, String attempt) {}

  /** The last complete checkpoint, as the store was asked to keep it. */
  Checkpoint lastCheckpoint() {
    for (StoreRequest request : output.store().takeRequests()) {
      if (request.method().equals("PUT") && request.fate() == Fate.PASSED) {
        note(request.key());
      }
    }
    return last;
  }

  private void note(String written) {
    Matcher part = PART.matcher(written);
    Matcher manifest = MANIFEST.matcher(written);
    if (part.find()) {
      attempts.put(Integer.parseInt(part.group(1)), part.group(2));
    } else if (manifest.find()) {
      int step = Integer.parseInt(manifest.group(1));
      String attempt = attempts.get(step);
      // one of an unknown attempt is not that of a new one
      if (attempt != null && step > last.step()) {
        last = new Checkpoint(step, attempt);
      }
    }
  }

  /** Waits for the first checkpoint of the run. */
  boolean awaitBegin() throws Exception {
    return await(() -> lastCheckpoint().step() > 0);
  }

  /** Waits until what was done is overcome; false: the run has ended. */
  boolean awaitRecovery(SoakFault fault, Checkpoint before, int everySteps) throws Exception {
    return await(
        switch (fault.effect()) {
          case NEW_ATTEMPT -> () -> !lastCheckpoint().attempt().equals(before.attempt());
          // the one that was being written when the fault came says nothing
          case DELAY -> () -> lastCheckpoint().step() >= before.step() + 2 * everySteps;
        });
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
    assertThat(job.await()).as(job.out() + job.err()).isZero();
  }

  @Override
  public void close() {
    job.close();
  }
}
