package dev.anneal.training.trainer;

import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.checkpoint.CheckpointSink;
import dev.anneal.training.checkpoint.ResumePoint;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.OutputFolder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;

/** The checkpoints of the ranks of this process, in a local folder. */
class LocalCheckpoints implements CheckpointSink {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Path folder;
  private final SortedMap<Long, List<CheckpointPart>> parts = new TreeMap<>();
  private final List<String> failures = new ArrayList<>();
  private final List<Long> leftOut = new ArrayList<>();

  LocalCheckpoints(Path folder) {
    this.folder = folder;
  }

  Path path(long step) {
    return folder.resolve(String.format(Locale.ROOT, "step-%08d", step));
  }

  @Override
  public OutputFolder folder(long step) {
    return new LocalOutputFolder(path(step));
  }

  @Override
  public synchronized void written(CheckpointPart part) {
    parts.computeIfAbsent(part.step(), step -> new ArrayList<>()).add(part);
    notifyAll();
  }

  @Override
  public synchronized void failed(long step, int rank, String reason) {
    failures.add("step %s, rank %s, %s".formatted(step, rank, reason));
    notifyAll();
  }

  @Override
  public synchronized void leftOut(long step) {
    leftOut.add(step);
  }

  @Override
  public ModelFolder stored(long step) {
    return new LocalModelFolder(path(step));
  }

  synchronized List<Long> leftOut() {
    return List.copyOf(leftOut);
  }

  synchronized List<String> failures() {
    return List.copyOf(failures);
  }

  /** What was told of each step so far. */
  synchronized SortedMap<Long, List<CheckpointPart>> parts() {
    return new TreeMap<>(parts);
  }

  /** Steps of which all ranks have written their part. */
  synchronized List<Long> complete() {
    return parts.entrySet().stream()
        .filter(entry -> entry.getValue().size() == entry.getValue().get(0).worldSize())
        .map(entry -> entry.getKey())
        .toList();
  }

  /**
   * For a run that is cut off after {@code step} of its steps: waits for the checkpoint of each.
   *
   * @param done steps so far
   * @return whether it is to be cut off now
   */
  boolean cutAfter(long step, long done) {
    if (done > 0 && done <= step) {
      awaitComplete(done);
    }
    return done == step;
  }

  synchronized void awaitComplete(long step) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!complete().contains(step)) {
      long left = (deadline - System.nanoTime()) / 1_000_000;
      if (left <= 0 || !failures.isEmpty()) {
        throw new AssertionError("no checkpoint of step %s; %s".formatted(step, failures));
      }
      try {
        wait(left);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  /** Takes one every {@code everySteps} steps from the beginning on. */
  CheckpointPlan every(long everySteps) {
    return new CheckpointPlan(everySteps, this, null);
  }

  /** Goes on from the checkpoint of {@code step}. */
  CheckpointPlan every(long everySteps, long step) {
    return new CheckpointPlan(
        everySteps, this, new ResumePoint(step, new LocalModelFolder(path(step))));
  }
}
