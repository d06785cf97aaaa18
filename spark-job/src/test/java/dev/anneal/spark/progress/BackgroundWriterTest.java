package dev.anneal.spark.progress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class BackgroundWriterTest {

  @Test
  void writesAllInOrderBeforeItIsClosed() {
    StringWriter text = new StringWriter();
    try (PrintWriter out = new PrintWriter(new BackgroundWriter(new PrintWriter(text)))) {
      for (int i = 0; i < 1000; i++) {
        out.println(i);
      }
    }
    assertThat(text.toString().lines()).hasSize(1000).startsWith("0", "1").endsWith("999");
  }

  @Test
  void holdsNobodyUpWhereATerminalStands() {
    CountDownLatch terminal = new CountDownLatch(1);
    StringWriter text = new StringWriter();
    BackgroundWriter background = new BackgroundWriter(new PrintWriter(stopped(terminal, text)));
    PrintWriter out = new PrintWriter(background);
    for (int i = 0; i < 30_000; i++) {
      out.println(i);
    }
    background.close(1);
    assertThat(text.toString()).isEmpty();
    terminal.countDown();
    background.close();
    assertThat(text.toString()).contains("29999").doesNotContain("\n15000\n");
  }

  /** Nothing passes until somebody says so. */
  private static Writer stopped(CountDownLatch terminal, StringWriter text) {
    return new Writer() {
      @Override
      public void write(char[] chars, int from, int length) {
        try {
          terminal.await();
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
        text.write(chars, from, length);
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
  }
}
