package dev.anneal.data.arrow;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * The record batches of remote files that were read last or will be read next, which are brought by
 * threads of its own. For use by one thread.
 */
final class BatchCache implements AutoCloseable {
  /** As many are held, of at most about 1 MiB each where a sequence is not longer. */
  static final int MAX_BATCHES = 32;

  private static final int THREADS = 4;

  // the one that was asked for last at the end
  private final Map<Key, CompletableFuture<SequenceBatch>> batches =
      new LinkedHashMap<>(16, 0.75f, true);
  private final ExecutorService readers = Executors.newFixedThreadPool(THREADS, BatchCache::daemon);

  private record Key(PreparedFile file, int batch) {}

  /** Brings a batch while the caller does something else. */
  void expect(PreparedFile file, int batch) {
    Key key = new Key(file, batch);
    if (batches.get(key) == null) {
      makeRoom();
      batches.put(key, CompletableFuture.supplyAsync(() -> file.batch(batch), readers));
    }
  }

  SequenceBatch read(PreparedFile file, int batch) {
    Key key = new Key(file, batch);
    CompletableFuture<SequenceBatch> known = batches.get(key);
    if (known != null) {
      // what read-ahead could not read is read again, so that its failure is the caller's
      SequenceBatch brought = known.exceptionally(failure -> null).join();
      if (brought != null) {
        return brought;
      }
    }
    SequenceBatch read = file.batch(batch);
    makeRoom();
    batches.put(key, CompletableFuture.completedFuture(read));
    return read;
  }

  @Override
  public void close() {
    readers.shutdownNow();
    batches.clear();
  }

  private void makeRoom() {
    if (batches.size() >= MAX_BATCHES) {
      Iterator<CompletableFuture<SequenceBatch>> eldest = batches.values().iterator();
      eldest.next();
      eldest.remove();
    }
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "anneal-read-ahead");
    thread.setDaemon(true);
    return thread;
  }
}
