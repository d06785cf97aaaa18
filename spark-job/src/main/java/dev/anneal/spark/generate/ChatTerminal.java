package dev.anneal.spark.generate;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/** Whom a chat is with: lines come in, texts go out. */
public final class ChatTerminal {
  private static final int LINES_AHEAD = 1000;
  private static final long ROUND_MILLIS = 200;
  private static final String PROMPT = "> ";

  private final BlockingQueue<Optional<String>> lines = new ArrayBlockingQueue<>(LINES_AHEAD);
  private final PrintWriter out;
  private final PrintWriter notes;
  private final boolean prompting;
  private volatile boolean left;

  /**
   * Reads from now on, in a thread of its own.
   *
   * @param in UTF-8
   * @param out for answers
   * @param notes for all else
   * @param prompting whether somebody types, and sees where
   */
  public ChatTerminal(InputStream in, PrintWriter out, PrintWriter notes, boolean prompting) {
    this.out = out;
    this.notes = notes;
    this.prompting = prompting;
    Thread reader = new Thread(() -> read(in), "anneal-chat-input");
    reader.setDaemon(true);
    reader.start();
  }

  private void read(InputStream in) {
    try {
      BufferedReader reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        lines.put(Optional.of(line));
      }
      lines.put(Optional.empty());
    } catch (IOException e) {
      left = true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends the input, whatever is still to come. */
  void leave() {
    left = true;
  }

  boolean hasLeft() {
    return left;
  }

  /**
   * The next line; empty where there are no more.
   *
   * @param round what is looked after meanwhile
   */
  Optional<String> line(Runnable round) throws InterruptedException {
    if (prompting) {
      out.print(PROMPT);
      out.flush();
    }
    while (!left) {
      Optional<String> line = lines.poll(ROUND_MILLIS, TimeUnit.MILLISECONDS);
      if (line != null) {
        return line;
      }
      round.run();
    }
    return Optional.empty();
  }

  /** A piece of an answer. */
  void say(String piece) {
    out.print(piece);
    out.flush();
  }

  /** A sentence that is no answer. */
  void note(String sentence) {
    notes.println(sentence);
    notes.flush();
  }
}
