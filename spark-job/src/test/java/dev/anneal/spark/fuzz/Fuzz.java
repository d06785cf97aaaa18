package dev.anneal.spark.fuzz;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Feeds broken inputs to a reader, which must take or refuse each of them in time, and refuse it
 * with an exception of ours and one line of words. {@code -Dfuzz.cases} says how many, {@code
 * -Dfuzz.seed} which.
 */
final class Fuzz {
  private static final Duration CASE_LIMIT = Duration.ofSeconds(20);
  private static final int MOST_CHARACTERS = 1000;

  private final String name;
  private final List<Class<?>> refusals;
  private final AtomicLong begun = new AtomicLong(System.nanoTime());
  private int refused;
  private long longestNanos;
  private byte[] input = {};
  private int number;

  private Fuzz(String name, List<Class<?>> refusals) {
    this.name = name;
    this.refusals = refusals;
  }

  /** Reads one input. */
  interface Reader {
    void read(byte[] input) throws Exception;
  }

  /**
   * Runs all cases.
   *
   * @param refusals what the reader may throw
   */
  static void run(String name, Mutator mutator, Reader reader, Class<?>... refusals)
      throws Exception {
    new Fuzz(name, List.of(refusals)).run(mutator, reader);
  }

  static long seed() {
    return Long.getLong("fuzz.seed", 1);
  }

  private void run(Mutator mutator, Reader reader) throws Exception {
    int cases = Integer.getInteger("fuzz.cases", 500);
    long start = System.nanoTime();
    Throwable[] failure = new Throwable[1];
    Thread worker =
        new Thread(
            () -> {
              try {
                for (number = 0; number < cases; number++) {
                  one(mutator.next(), reader);
                }
              } catch (Throwable e) {
                failure[0] = e;
              }
            },
            "fuzz " + name);
    // a case that hangs must not keep the process
    worker.setDaemon(true);
    worker.start();
    while (worker.isAlive()) {
      worker.join(200);
      if (worker.isAlive() && System.nanoTime() - begun.get() > CASE_LIMIT.toNanos()) {
        AssertionError hangs = new AssertionError(describe("takes too long"));
        hangs.setStackTrace(worker.getStackTrace());
        throw hangs;
      }
    }
    if (failure[0] != null) {
      throw new AssertionError(describe("ended with " + failure[0]), failure[0]);
    }
    System.out.printf(
        "fuzz %s: %s cases, %s refused, %s s, the longest %s ms%n",
        name,
        cases,
        refused,
        Duration.ofNanos(System.nanoTime() - start).toSeconds(),
        Duration.ofNanos(longestNanos).toMillis());
  }

  private void one(byte[] bytes, Reader reader) throws Exception {
    input = bytes;
    begun.set(System.nanoTime());
    try {
      reader.read(bytes);
    } catch (Exception e) {
      if (refusals.stream().noneMatch(refusal -> refusal.isInstance(e))) {
        throw e;
      }
      refused++;
      requireSentence(e);
    }
    longestNanos = Math.max(longestNanos, System.nanoTime() - begun.get());
  }

  private static void requireSentence(Exception refusal) {
    String message = refusal.getMessage();
    if (message == null || message.isBlank()) {
      throw new AssertionError("it says nothing", refusal);
    }
    if (message.lines().count() > 1 || message.length() > MOST_CHARACTERS) {
      throw new AssertionError(
          "it says too much, %s characters".formatted(message.length()), refusal);
    }
  }

  /** Keeps the input, which may be long, in a file. */
  private String describe(String what) throws Exception {
    Path kept = Files.createTempFile("fuzz-", ".input");
    Files.write(kept, input);
    return "case %s of %s with seed %s %s; its %s bytes are in %s and begin with %s"
        .formatted(
            number,
            name,
            seed(),
            what,
            input.length,
            kept,
            Arrays.toString(Arrays.copyOf(input, Math.min(16, input.length))));
  }
}
