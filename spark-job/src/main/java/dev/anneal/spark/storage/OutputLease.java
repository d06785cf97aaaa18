package dev.anneal.spark.storage;

import dev.anneal.spark.BadRequestException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right of one run to write below its {@code output.path}. Nobody needs to clean up after a run
 * that was killed: on its own host it is seen that its process is gone, and from another one that
 * the counter in {@code run.lock} stands still. No clocks are compared.
 */
public final class OutputLease implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(OutputLease.class);

  private static final int CLOSING_MILLIS = 10_000;

  /**
   * How long things take.
   *
   * @param beat between two changes of the counter
   * @param settle longer than anybody takes from looking at the file to writing it
   */
  record Timing(Duration beat, Duration settle) {
    private static final Timing USUAL = new Timing(Duration.ofSeconds(10), Duration.ofSeconds(1));

    /** For how long the counter of a run that is gone must stand still. */
    private Duration silence() {
      return beat.multipliedBy(3).plus(settle);
    }
  }

  private final RunFolder folder;
  private final LeaseFile file;
  private final Timing timing;
  private final Consumer<String> onLoss;
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Thread holder = new Thread(this::hold, "output-lease");

  private volatile LeaseRecord own;

  OutputLease(
      RunFolder folder,
      String runId,
      ProcessIdentity process,
      Timing timing,
      Consumer<String> onLoss) {
    this.folder = folder;
    this.file = new LeaseFile(folder);
    this.timing = timing;
    this.onLoss = onLoss;
    String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
    this.own = new LeaseRecord(runId, process, now, 0);
    holder.setDaemon(true);
  }

  /**
   * Takes the folder for a run. That takes a second, or half a minute where a run on another host
   * may hold it.
   *
   * @param onLoss told once, with a sentence, if another run has taken the folder over, as happens
   *     to one that was suspended: this one must not write any more
   * @throws BadRequestException if another run is at work there
   * @throws IOException if the folder cannot be read or written
   */
  public static OutputLease acquire(RunFolder folder, String runId, Consumer<String> onLoss)
      throws IOException {
    OutputLease lease =
        new OutputLease(folder, runId, ProcessIdentity.current(), Timing.USUAL, onLoss);
    lease.acquire();
    return lease;
  }

  void acquire() throws IOException {
    while (!tryAcquire()) {
      // somebody else was faster, or has just left: look again
      pause(timing.settle());
    }
    holder.start();
  }

  private boolean tryAcquire() throws IOException {
    Optional<byte[]> seen = file.read();
    if (seen.isPresent()) {
      if (!isAbandoned(seen.get()) || !isThere(seen.get())) {
        return false;
      }
      file.delete();
    }
    if (!file.createNew(own.json())) {
      return false;
    }
    // another that saw what was here before may only now be at its delete
    pause(timing.settle());
    return isThere(own.json());
  }

  /** Whether nobody holds the lock; {@code false} where it has become another in the meantime. */
  private boolean isAbandoned(byte[] lock) throws IOException {
    Optional<LeaseRecord> other = LeaseRecord.parse(lock);
    if (other.isPresent() && own.process().sees(other.get().process())) {
      if (other.get().process().isAlive()) {
        throw refusal(other.get());
      }
      return true;
    }
    byte[] later = watch(lock);
    Optional<LeaseRecord> now = LeaseRecord.parse(later);
    if (other.isPresent() && now.filter(other.get()::isOfSameRun).isPresent()) {
      if (now.get().beat() != other.get().beat()) {
        throw refusal(other.get());
      }
    }
    return Arrays.equals(lock, later);
  }

  /** What the file holds as soon as it changes, or after it has not for long enough. */
  private byte[] watch(byte[] lock) throws IOException {
    long start = System.nanoTime();
    byte[] now = lock;
    while (Arrays.equals(now, lock) && System.nanoTime() - start < timing.silence().toNanos()) {
      pause(timing.beat().dividedBy(4));
      now = file.read().orElse(new byte[0]);
    }
    return now;
  }

  private boolean isThere(byte[] lock) throws IOException {
    return file.read().filter(now -> Arrays.equals(now, lock)).isPresent();
  }

  private BadRequestException refusal(LeaseRecord other) {
    return new BadRequestException(
        "output.path %s is being written by another run (%s): wait for it, or choose another output.path."
            .formatted(folder.display(), other.display()));
  }

  private void hold() {
    try {
      while (!closing.await(timing.beat().toMillis(), TimeUnit.MILLISECONDS) && beat()) {
        LOG.trace("{} is renewed", RunFolder.LOCK);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether there is more to do. */
  private boolean beat() {
    try {
      Optional<byte[]> lock = file.read();
      Optional<LeaseRecord> holder = lock.flatMap(LeaseRecord::parse);
      if (holder.filter(own::isOfSameRun).isPresent()) {
        LeaseRecord next = own.nextBeat();
        file.replace(next.json());
        own = next;
      } else if (lock.isEmpty() || holder.isPresent()) {
        onLoss.accept(loss(holder));
        return false;
      }
    } catch (IOException | RuntimeException e) {
      // while the store is away nobody else can take the lock either
      LOG.warn("{} cannot be renewed", RunFolder.LOCK, e);
    }
    return true;
  }

  private String loss(Optional<LeaseRecord> holder) {
    return "output.path %s was taken over by another run (%s): this run writes nothing more there."
        .formatted(folder.display(), holder.map(LeaseRecord::display).orElse("which has ended"));
  }

  /**
   * Looks whether the folder is still this run's, for a write that must not come from a run that
   * has lost it.
   */
  public boolean isHeld() throws IOException {
    return file.read().flatMap(LeaseRecord::parse).filter(own::isOfSameRun).isPresent();
  }

  private static void pause(Duration time) throws IOException {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw (IOException) new InterruptedIOException("interrupted").initCause(e);
    }
  }

  /** Gives the folder free, if it is still this run's. */
  @Override
  public void close() {
    closing.countDown();
    holder.interrupt();
    try {
      holder.join(CLOSING_MILLIS);
      if (!holder.isAlive() && isHeld()) {
        file.delete();
      }
    } catch (IOException e) {
      // the next run sees that this process is gone
      LOG.warn("{} cannot be removed", RunFolder.LOCK, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
