package dev.anneal.spark.lease;

import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Optional;

/** A run that wants to become the newest generation of a {@link GenerationLease}. */
final class LeaseAcquisition {
  /** What a generation has written. */
  private record Traces(Optional<String> claim, Optional<String> beat) {
    Optional<LeaseRecord> owner() {
      return claim.flatMap(LeaseRecord::parse);
    }

    boolean hasLeft() {
      return beat.filter(LeaseObjects.LEFT::equals).isPresent();
    }
  }

  private final RunFolder folder;
  private final LeaseObjects objects;
  private final LeaseRecord own;
  private final GenerationLease.Timing timing;

  LeaseAcquisition(RunFolder folder, LeaseRecord own, GenerationLease.Timing timing) {
    this.folder = folder;
    this.objects = new LeaseObjects(folder);
    this.own = own;
    this.timing = timing;
  }

  /**
   * Follows the newest generation, if that is gone.
   *
   * @return the number of the generation that this run is now
   * @throws dev.anneal.spark.BadRequestException if it is at work
   */
  int succeed() throws IOException {
    while (true) {
      int newest = newest();
      // otherwise somebody else was faster: look who
      if ((newest == 0 || isGone(newest)) && create(newest + 1)) {
        return newest + 1;
      }
    }
  }

  /** The newest generation, 0 for none. They have no gaps, so that no list is needed. */
  private int newest() throws IOException {
    int there = 0;
    int next = 1;
    while (exists(next)) {
      there = next;
      next *= 2;
    }
    while (next - there > 1) {
      int middle = (there + next) / 2;
      if (exists(middle)) {
        there = middle;
      } else {
        next = middle;
      }
    }
    return there;
  }

  private boolean exists(int generation) throws IOException {
    return objects.read(LeaseObjects.claim(generation)).isPresent();
  }

  private Traces traces(int generation) throws IOException {
    return new Traces(
        objects.read(LeaseObjects.claim(generation)), objects.read(LeaseObjects.beat(generation)));
  }

  /** Whether the newest generation is gone; {@code false} where that cannot be told any more. */
  private boolean isGone(int newest) throws IOException {
    Traces seen = traces(newest);
    if (seen.hasLeft()) {
      return true;
    }
    Optional<LeaseRecord> owner = seen.owner();
    if (owner.isPresent() && own.process().sees(owner.get().process())) {
      if (owner.get().process().isAlive()) {
        throw LeaseRecord.refusal(folder, owner);
      }
      return true;
    }
    return isSilent(newest, seen);
  }

  private boolean isSilent(int newest, Traces seen) throws IOException {
    long start = System.nanoTime();
    while (System.nanoTime() - start < timing.silence().toNanos()) {
      pause(timing.beat().dividedBy(4));
      Traces now = traces(newest);
      if (now.hasLeft()) {
        return true;
      }
      if (!now.claim().equals(seen.claim()) || exists(newest + 1)) {
        return false;
      }
      if (!now.beat().equals(seen.beat())) {
        throw LeaseRecord.refusal(folder, seen.owner());
      }
    }
    return true;
  }

  /** Whether this run has become that generation. */
  private boolean create(int generation) throws IOException {
    String claim = LeaseObjects.claim(generation);
    Optional<IOException> failure = Optional.empty();
    try {
      objects.createNew(claim, own.json());
    } catch (IOException e) {
      // it is there, or it went wrong, or only the answer got lost
      failure = Optional.of(e);
    }
    pause(timing.settle());
    Optional<String> there = objects.read(claim);
    if (there.isEmpty() && failure.isPresent()) {
      throw failure.get();
    }
    return there.filter(own.json()::equals).isPresent();
  }

  private static void pause(Duration time) throws IOException {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw (IOException) new InterruptedIOException("interrupted").initCause(e);
    }
  }
}
