package dev.anneal.spark.fetch;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Writes a journal down every few seconds, beside the work that it tells of. */
final class JournalWriter implements AutoCloseable {
  private final UploadJournal journal;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Thread thread;

  JournalWriter(UploadJournal journal, long millis) {
    this.journal = journal;
    this.thread = new Thread(() -> write(millis), "anneal-fetch-journal");
    thread.setDaemon(true);
    thread.start();
  }

  private void write(long millis) {
    try {
      while (!closed.await(millis, TimeUnit.MILLISECONDS)) {
        tryToWrite();
      }
    } catch (InterruptedException end) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean tryToWrite() {
    try {
      journal.write();
      return true;
    } catch (IOException storeIsAway) {
      // the next time may go better, and the work itself meets the same store
      return false;
    }
  }

  void writeNow() throws IOException {
    journal.write();
  }

  /** Writes it down for the last time. */
  @Override
  public void close() throws IOException {
    closed.countDown();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    journal.write();
  }
}
