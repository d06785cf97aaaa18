package dev.anneal.spark.generate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** What a process has said so far; {@code (end)} when it says no more. */
final class Heard {
  private static final long PATIENCE_SECONDS = 180;
  private static final String END = "(end)";

  private final StringBuilder text = new StringBuilder();

  Heard(InputStream in) {
    Thread reader = new Thread(() -> read(in));
    reader.setDaemon(true);
    reader.start();
  }

  private void read(InputStream in) {
    try {
      for (int read = in.read(); read >= 0; read = in.read()) {
        add((char) read);
      }
    } catch (IOException e) {
      // the process is gone
    }
    end();
  }

  private synchronized void add(char character) {
    text.append(character);
    notifyAll();
  }

  private synchronized void end() {
    text.append(END);
    notifyAll();
  }

  /** Waits until these words have come {@code count} times. */
  synchronized void await(String words, int count) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (text.toString().split(Pattern.quote(words), -1).length <= count) {
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      assertThat(left).as("'%s' in: %s", words, text).isPositive();
      assertThat(text.toString()).as("'%s' is to come", words).doesNotEndWith(END);
      wait(left);
    }
  }

  synchronized String text() {
    return text.toString();
  }
}
