package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.StoreRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** One long run that is disturbed again and again, and started again when its driver was ended. */
final class Soak implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMinutes(4);
  private static final Pattern MANIFEST = Pattern.compile("checkpoints/step-(\\d+)/manifest.json");

  private final Faults faults;
  private final StoreOutput output;
  private final String[] options;
  private final Random random;
  private SubmittedJob job;
  private int lastCheckpoint;

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

  /** Some executor that trains, or any where none does; waits for one. */
  ProcessHandle anExecutor() throws Exception {
    Await.until(
        PATIENCE,
        () -> "no executor comes: " + job.out() + job.err(),
        () -> !faults.cluster().executors().isEmpty());
    List<ProcessHandle> executors = faults.cluster().executors();
    List<ProcessHandle> training = executors.stream().filter(Soak::trains).toList();
    List<ProcessHandle> choice = training.isEmpty() ? executors : training;
    return choice.get(random.nextInt(choice.size()));
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

  /** The step after which the last complete checkpoint was taken, of those that were seen. */
  int lastCheckpoint() {
    for (StoreRequest request : output.store().requests()) {
      Matcher manifest = MANIFEST.matcher(request.key());
      if (request.method().equals("PUT") && manifest.find()) {
        lastCheckpoint = Math.max(lastCheckpoint, Integer.parseInt(manifest.group(1)));
      }
    }
    output.store().forget();
    return lastCheckpoint;
  }

  /** Waits for a complete checkpoint after {@code step} steps or more; false: the run has ended. */
  boolean awaitCheckpoint(int step) throws Exception {
    Await.until(
        PATIENCE,
        () -> "no checkpoint after %d steps:%n%s%s".formatted(step, job.out(), job.err()),
        () -> lastCheckpoint() >= step || !job.isRunning());
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
