package dev.anneal.spark.checkpoint;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.spark.train.Attempt;
import dev.anneal.training.checkpoint.CheckpointManifest;
import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.io.Sha256;
import dev.anneal.training.io.WrittenFile;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Completes checkpoints, on the driver: when every rank of an attempt has told of its part, what
 * the driver knows goes beside it and then the manifest, whose place nobody else writes to. Parts
 * of an attempt that is over are dropped.
 */
public final class CheckpointCommitter implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointCommitter.class);
  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final Duration PAUSE = Duration.ofSeconds(2);

  /** What the driver adds to a checkpoint, and who hears of it. */
  public interface Driver {
    /**
     * The lines of everything measured in the first {@code step} steps; waits until it is known.
     */
    byte[] metricsUpTo(long step) throws InterruptedException;

    /** How the held-out prompts were continued in the first {@code step} steps. */
    byte[] samples(long step);

    /** Whether this driver may still write. */
    boolean ownsFolder() throws IOException;

    void completed(StoredCheckpoint checkpoint);

    /** A checkpoint was not completed; the sentence says why. */
    void lost(long step, String sentence);
  }

  private final RunFolder folder;
  private final SortedMap<String, String> identity;
  private final int keep;
  private final Driver driver;
  private final SortedSet<Long> steps;
  private final SortedMap<Long, StoredCheckpoint> complete = new TreeMap<>();
  private final Map<Long, SortedMap<Integer, CheckpointPart>> parts = new HashMap<>();
  private final ExecutorService writer =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread thread = new Thread(work, "checkpoints");
            thread.setDaemon(true);
            return thread;
          });
  private final Set<Long> lost = new HashSet<>();
  private String attempt;

  /** Parts of the newest best one that could not be completed; {@code null} if there are none. */
  private List<CheckpointPart> uncommittedBest;

  /**
   * @param keep how many complete ones stay
   * @param found those that are there and complete
   */
  public CheckpointCommitter(
      RunFolder folder,
      SortedMap<String, String> identity,
      int keep,
      Collection<StoredCheckpoint> found,
      Driver driver)
      throws IOException {
    this.folder = folder;
    this.identity = identity;
    this.keep = keep;
    this.driver = driver;
    this.steps = CheckpointSteps.read(folder);
    found.forEach(checkpoint -> complete.put(checkpoint.step(), checkpoint));
  }

  /** An attempt begins; nothing more comes of those before it. */
  public synchronized void begin(String attempt) {
    this.attempt = attempt;
    parts.clear();
    lost.clear();
    uncommittedBest = null;
  }

  /** The newest complete checkpoint. */
  public synchronized Optional<StoredCheckpoint> last() {
    return complete.isEmpty() ? Optional.empty() : Optional.of(complete.get(complete.lastKey()));
  }

  /**
   * The newest complete checkpoint whose files are there; empty where none was ever complete.
   *
   * @param say told of each that is left out
   * @throws BadRequestException if all that were complete are damaged or gone
   */
  public Optional<StoredCheckpoint> lastUsable(Consumer<String> say) {
    String reason = null;
    for (Optional<StoredCheckpoint> last = last(); last.isPresent(); last = last()) {
      try {
        requireUsable(last.get());
        return last;
      } catch (InvalidCheckpointException e) {
        reason = reason == null ? e.getMessage() : reason;
        say.accept("A checkpoint is left out: " + e.getMessage());
        synchronized (this) {
          complete.remove(last.get().step());
        }
      } catch (IOException e) {
        LOG.warn("{} cannot be looked at now", last.get().display(), e);
        return last;
      }
    }
    if (reason != null) {
      throw CheckpointSearch.noneUsable(folder, reason);
    }
    return Optional.empty();
  }

  private void requireUsable(StoredCheckpoint checkpoint) throws IOException {
    checkpoint.requireSizes();
    if (checkpoint.needed().isPresent()) {
      StoredCheckpoint best = complete(checkpoint.needed().getAsLong());
      if (best == null) {
        throw new InvalidCheckpointException(checkpoint.lacksBest());
      }
      best.requireSizes();
    }
  }

  /** {@code null} if it is not. */
  private synchronized StoredCheckpoint complete(long step) {
    return complete.get(step);
  }

  /** For ranks that go on from it. */
  public Attempt.Resume resume(StoredCheckpoint checkpoint) {
    long best = checkpoint.manifest().bestStep();
    return checkpoint.resume(best == checkpoint.step() ? checkpoint : complete(best));
  }

  /** A rank of the attempt under way has written its part. */
  public synchronized void written(CheckpointPart part) {
    note(part.step());
    SortedMap<Integer, CheckpointPart> there =
        parts.computeIfAbsent(part.step(), step -> new TreeMap<>());
    there.put(part.rank(), part);
    if (there.size() == part.worldSize()) {
      parts.remove(part.step());
      String author = attempt;
      List<CheckpointPart> all = List.copyOf(there.values());
      writer.execute(() -> complete(author, all));
    }
  }

  /** Parts of it will not come; the sentence says why. Of several ranks the first is heard. */
  public void lost(long step, String sentence) {
    note(step);
    tell(step, sentence);
  }

  private void tell(long step, String sentence) {
    synchronized (this) {
      if (!lost.add(step)) {
        return;
      }
    }
    driver.lost(step, sentence);
  }

  /** What a checkpoint leaves that is never completed goes when it is older than those to keep. */
  private void note(long step) {
    writer.execute(() -> steps.add(step));
  }

  /**
   * The attempt is over. Returns when everything that was told of is complete, or {@code patience}
   * is over: what is completed later counts no more, because the next attempt begins before it.
   */
  public void end(Duration patience) throws InterruptedException {
    await(patience);
    begin(null);
  }

  void await(Duration patience) throws InterruptedException {
    try {
      writer.submit(() -> {}).get(patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      LOG.warn("A checkpoint is still being completed", e);
    }
  }

  private void complete(String author, List<CheckpointPart> all) {
    long step = all.get(0).step();
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    try {
      while (true) {
        try {
          commit(author, all);
          return;
        } catch (IOException e) {
          if (System.nanoTime() > deadline || !isCurrent(author)) {
            notCompleted(author, all, StoreRefusal.sentence(e).orElse(e.getMessage()));
            return;
          }
          LOG.warn("The checkpoint after step {} cannot be completed yet", step, e);
          Thread.sleep(PAUSE.toMillis());
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      notCompleted(author, all, String.valueOf(e.getMessage()));
    } catch (Error e) {
      // memory for an upload, say: nobody else would tell
      notCompleted(author, all, e.toString());
    }
  }

  /** Later ones cannot be completed without their best, so its parts are kept for them. */
  private void notCompleted(String author, List<CheckpointPart> all, String sentence) {
    long step = all.get(0).step();
    synchronized (this) {
      if (all.get(0).bestStep() == step && isCurrent(author)) {
        uncommittedBest = all;
      }
    }
    tell(step, sentence);
  }

  /**
   * Completes the best one now where it is not, but all its parts are there.
   *
   * @return whether it is complete; it stays as it is where this driver may write no more
   * @throws IllegalStateException if it is missing
   */
  private boolean completeBest(String author, long best) throws IOException, InterruptedException {
    List<CheckpointPart> there;
    synchronized (this) {
      if (complete(best) != null || !isCurrent(author)) {
        return complete(best) != null;
      }
      there = uncommittedBest;
    }
    if (there == null || there.get(0).step() != best) {
      throw new IllegalStateException(
          "the one after step %s, which holds the best adapter, is missing".formatted(best));
    }
    commit(author, there);
    return complete(best) != null;
  }

  private void commit(String author, List<CheckpointPart> all)
      throws IOException, InterruptedException {
    long step = all.get(0).step();
    long best = all.get(0).bestStep();
    if (best != 0 && best != step && !completeBest(author, best)) {
      return;
    }
    String checkpoint = RunFolder.checkpoint(step);
    List<WrittenFile> files = new ArrayList<>();
    for (CheckpointPart part : all) {
      part.files().forEach(file -> files.add(below(author, file)));
    }
    files.add(write(checkpoint, author, StoredCheckpoint.METRICS, driver.metricsUpTo(step)));
    files.add(write(checkpoint, author, StoredCheckpoint.SAMPLES, driver.samples(step)));
    CheckpointManifest manifest =
        new CheckpointManifest(step, all.get(0).worldSize(), author, identity, best, files);
    if (!isCurrent(author) || !driver.ownsFolder()) {
      return;
    }
    steps.add(step);
    CheckpointSteps.write(folder, steps);
    folder.write(checkpoint + "/" + CheckpointManifest.FILE, manifest.toJson());
    StoredCheckpoint done = new StoredCheckpoint(folder, manifest);
    synchronized (this) {
      if (!isCurrent(author)) {
        return;
      }
      complete.put(step, done);
      if (best == step) {
        // those before it are needed no more
        uncommittedBest = null;
      }
    }
    driver.completed(done);
    prune(step);
  }

  private synchronized boolean isCurrent(String author) {
    return author.equals(attempt);
  }

  private static WrittenFile below(String author, WrittenFile file) {
    return new WrittenFile(author + "/" + file.name(), file.bytes(), file.sha256());
  }

  private WrittenFile write(String checkpoint, String author, String name, byte[] content)
      throws IOException {
    String file = author + "/" + name;
    folder.write(checkpoint + "/" + file, content);
    return new WrittenFile(
        file, content.length, HexFormat.of().formatHex(Sha256.digest().digest(content)));
  }

  /** Removes what is older than the last {@code keep} complete ones, but for what these need. */
  private void prune(long newest) {
    try {
      List<StoredCheckpoint> all;
      synchronized (this) {
        all = List.copyOf(complete.headMap(newest + 1).values());
      }
      List<StoredCheckpoint> kept = all.subList(Math.max(0, all.size() - keep), all.size());
      Set<Long> needed = new HashSet<>();
      kept.forEach(checkpoint -> checkpoint.needed().ifPresent(needed::add));
      List<Long> old =
          steps.headSet(kept.get(0).step()).stream()
              .filter(step -> !needed.contains(step))
              .toList();
      for (long step : old) {
        // first what makes it complete
        folder.delete(RunFolder.checkpoint(step) + "/" + CheckpointManifest.FILE);
        folder.delete(RunFolder.checkpoint(step));
        synchronized (this) {
          complete.remove(step);
        }
        steps.remove(step);
      }
      if (!old.isEmpty()) {
        CheckpointSteps.write(folder, steps);
      }
    } catch (IOException e) {
      LOG.warn("An old checkpoint could not be removed", e);
    }
  }

  @Override
  public void close() {
    writer.shutdownNow();
  }
}
