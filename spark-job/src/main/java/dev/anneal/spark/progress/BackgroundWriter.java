package dev.anneal.spark.progress;

import java.io.PrintWriter;
import java.io.Writer;
import java.util.concurrent.LinkedBlockingDeque;

/**
 * Writes in a thread of its own. Whoever prints is never held up by a terminal that is stopped or a
 * pipe that nobody reads: the driver's answers to its ranks must not wait for either.
 */
public final class BackgroundWriter extends Writer {
  /** Of a run that tells something each second, the last three hours. */
  private static final int MOST_TEXTS = 10_000;

  private static final String END = new String("end");

  private final LinkedBlockingDeque<String> texts = new LinkedBlockingDeque<>();
  private final PrintWriter out;
  private final Thread thread;

  /**
   * @param out stays open when this is closed
   */
  public BackgroundWriter(PrintWriter out) {
    this.out = out;
    this.thread = new Thread(this::write, "anneal-output");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void write(char[] text, int from, int length) {
    if (texts.size() >= MOST_TEXTS) {
      texts.poll();
    }
    texts.add(new String(text, from, length));
  }

  /** What has been written is on its way already. */
  @Override
  public void flush() {}

  /** Returns when everything is written, or when its thread is interrupted. */
  @Override
  public void close() {
    await(0);
  }

  /**
   * Same as {@link #close}, but not for ever.
   *
   * @param millis how long to wait at most
   */
  public void close(long millis) {
    await(Math.max(1, millis));
  }

  private void await(long millis) {
    texts.add(END);
    try {
      thread.join(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  // the one object END is meant, not a text that reads the same
  @SuppressWarnings("ReferenceEquality")
  private void write() {
    try {
      for (String text = texts.take(); text != END; text = texts.take()) {
        out.write(text);
        if (texts.isEmpty()) {
          out.flush();
        }
      }
      out.flush();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
