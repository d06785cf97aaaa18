package dev.anneal.spark.lease;

import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder on a store without locks, where each owner is a generation. {@code run.lock/N.json} says
 * who the Nth is and is made by whoever is the first to do so; only that one writes {@code
 * run.lock/N.beat}, a number that grows, or that it has left. The newest generation is the owner.
 * Nothing is overwritten by others or removed, so that no earlier owner can come back.
 *
 * <p>Where a connector cannot make sure that an object is new, two that come at once may both
 * believe that they have made it. They look again a while later, when one of them finds the other,
 * and the owner does at each beat: exclusion is then only as good as that while.
 */
final class GenerationLease implements OutputLease {
  private static final Logger LOG = LoggerFactory.getLogger(GenerationLease.class);

  private static final int CLOSING_MILLIS = 10_000;

  /**
   * How long things take.
   *
   * @param beat between two changes of the number
   * @param settle longer than anybody takes from looking for an object to making it
   */
  record Timing(Duration beat, Duration settle) {
    static final Timing USUAL = new Timing(Duration.ofSeconds(10), Duration.ofSeconds(1));

    /** For how long the number of a run that is gone must stand still. */
    Duration silence() {
      return beat.multipliedBy(3).plus(settle);
    }
  }

  private final RunFolder folder;
  private final LeaseObjects objects;
  private final LeaseRecord own;
  private final int generation;
  private final Timing timing;
  private final Consumer<String> onLoss;
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Thread holder = new Thread(this::hold, "output-lease");

  private GenerationLease(
      RunFolder folder, LeaseRecord own, int generation, Timing timing, Consumer<String> onLoss) {
    this.folder = folder;
    this.objects = new LeaseObjects(folder);
    this.own = own;
    this.generation = generation;
    this.timing = timing;
    this.onLoss = onLoss;
    holder.setDaemon(true);
  }

  static GenerationLease acquire(
      RunFolder folder, LeaseRecord own, Timing timing, Consumer<String> onLoss)
      throws IOException {
    int generation = new LeaseAcquisition(folder, own, timing).succeed();
    GenerationLease lease = new GenerationLease(folder, own, generation, timing, onLoss);
    lease.holder.start();
    return lease;
  }

  private void hold() {
    try {
      long beat = 1;
      while (!closing.await(timing.beat().toMillis(), TimeUnit.MILLISECONDS) && beat(beat)) {
        beat++;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether there is more to do. */
  private boolean beat(long number) {
    Optional<String> loss;
    try {
      loss = loss();
      if (loss.isEmpty()) {
        objects.write(LeaseObjects.beat(generation), Long.toString(number));
      }
    } catch (IOException | RuntimeException e) {
      LOG.warn("{} in {} cannot be renewed", RunFolder.LOCK, folder.display(), e);
      return true;
    }
    loss.ifPresent(onLoss);
    return loss.isEmpty();
  }

  /** Who has come later, or that this run's claim is no longer its own. */
  @Override
  public Optional<String> loss() throws IOException {
    Optional<String> later = objects.read(LeaseObjects.claim(generation + 1));
    Optional<String> holder =
        later.isPresent() ? later : objects.read(LeaseObjects.claim(generation));
    if (holder.isEmpty()) {
      return Optional.of(LeaseRecord.removed(folder));
    }
    if (later.isEmpty() && holder.get().equals(own.json())) {
      return Optional.empty();
    }
    return Optional.of(
        "output.path %s was taken over by another run%s: this run writes nothing more there."
            .formatted(
                folder.display(),
                holder.flatMap(LeaseRecord::parse).map(LeaseRecord::display).orElse("")));
  }

  /** Says that this run has left, for others not to wait. */
  @Override
  public void close() {
    closing.countDown();
    try {
      holder.join(CLOSING_MILLIS);
      if (!holder.isAlive() && isHeld()) {
        objects.write(LeaseObjects.beat(generation), LeaseObjects.LEFT);
      }
    } catch (IOException e) {
      // the next run sees that this process is gone
      LOG.warn("{} in {} still names this run", RunFolder.LOCK, folder.display(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
