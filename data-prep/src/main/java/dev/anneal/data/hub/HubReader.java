package dev.anneal.data.hub;

import java.io.IOException;
import java.io.UncheckedIOException;

/** Reads stretches of a file, and goes on where an answer breaks off as long as something comes. */
public final class HubReader {
  private static final int BUFFER_BYTES = 1 << 18;

  private final HubClient client;
  private final Patience patience;
  private final HubRepository repository;
  private final String commit;
  private final HubFile file;

  HubReader(
      HubClient client, Patience patience, HubRepository repository, String commit, HubFile file) {
    this.client = client;
    this.patience = patience;
    this.repository = repository;
    this.commit = commit;
    this.file = file;
  }

  /** Takes what comes, in the order of the file. */
  @FunctionalInterface
  public interface Sink {
    /**
     * Takes the next bytes.
     *
     * @param position in the file of the first of them
     */
    void write(byte[] bytes, int length, long position) throws IOException;
  }

  /**
   * Reads all bytes of a stretch.
   *
   * @param end behind the last byte
   * @throws IOException if nothing comes any more; what the sink throws is thrown at once
   */
  public void read(long start, long end, Sink sink) throws IOException {
    byte[] buffer = new byte[(int) Math.min(BUFFER_BYTES, Math.max(1, end - start))];
    long position = start;
    int fruitless = 0;
    while (position < end) {
      long before = position;
      try {
        position = readOn(position, end, buffer, sink);
      } catch (Broken e) {
        position = e.position;
        fruitless = position > before ? 0 : fruitless + 1;
        patience.await(e.failure, fruitless);
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
    }
  }

  /** An answer that ended too early. */
  private static final class Broken extends Exception {
    private static final long serialVersionUID = 1L;

    final transient IOException failure;
    final long position;

    Broken(IOException failure, long position) {
      super(failure);
      this.failure = failure;
      this.position = position;
    }
  }

  private long readOn(long start, long end, byte[] buffer, Sink sink) throws Broken {
    long position = start;
    try {
      HubClient.Content content = client.open(repository, commit, file, start, end);
      try (HttpAnswer answer = content.answer()) {
        pass(answer, start - content.start(), buffer);
        while (position < end) {
          int count = read(answer, buffer, end - position);
          give(buffer, count, position, sink);
          position += count;
        }
        if (position - content.start() == answer.length()) {
          answer.becomesRead();
        }
      }
      return position;
    } catch (IOException e) {
      throw new Broken(e, position);
    }
  }

  /** Reads past what was not asked for. */
  private void pass(HttpAnswer answer, long bytes, byte[] buffer) throws IOException {
    for (long left = bytes; left > 0; ) {
      left -= read(answer, buffer, left);
    }
  }

  private int read(HttpAnswer answer, byte[] buffer, long wanted) throws IOException {
    int count = answer.read(buffer, (int) Math.min(buffer.length, wanted));
    if (count < 0) {
      throw new IOException("'%s' broke off".formatted(file.path()));
    }
    return count;
  }

  private static void give(byte[] buffer, int count, long position, Sink sink) {
    try {
      sink.write(buffer, count, position);
    } catch (IOException e) {
      // not the hub's failure, so another attempt would not help
      throw new UncheckedIOException(e);
    }
  }
}
