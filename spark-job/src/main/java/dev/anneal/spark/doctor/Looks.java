package dev.anneal.spark.doctor;

import dev.anneal.training.tensor.NativeErrors;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.UnaryOperator;

/** Looks at one thing after the other, none of them for longer than it may take. */
final class Looks {
  private static final Duration SHORT = Duration.ofSeconds(5);
  private static final int LONGEST_VALUE = 60;

  private final Map<String, Finding> found = new LinkedHashMap<>();

  /** Looks at something that no run ends by. */
  void add(String check, Callable<String> look) {
    add(check, SHORT, look);
  }

  void add(String check, Duration limit, Callable<String> look) {
    add(check, limit, look, cause -> null);
  }

  /**
   * Looks at something that a run needs.
   *
   * @param stops makes one sentence of the cause where the look fails
   */
  void require(String check, Duration limit, Callable<String> look, UnaryOperator<String> stops) {
    add(check, limit, look, stops);
  }

  void put(String check, Finding finding) {
    found.put(check, finding);
  }

  Map<String, Finding> found() {
    return Collections.unmodifiableMap(found);
  }

  private void add(
      String check, Duration limit, Callable<String> look, UnaryOperator<String> stops) {
    try {
      found.put(check, Finding.of(within(limit, look)));
    } catch (ExecutionException e) {
      found.put(check, failed(NativeErrors.firstLine(e.getCause()), stops));
    } catch (TimeoutException e) {
      found.put(check, failed("no answer in %s s".formatted(seconds(limit)), stops));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      found.put(check, failed("interrupted", stops));
    }
  }

  private static Finding failed(String cause, UnaryOperator<String> stops) {
    String sentence = stops.apply(cause);
    return sentence == null ? Finding.of("? " + excerpt(cause)) : Finding.stopping(sentence);
  }

  private static String seconds(Duration limit) {
    return BigDecimal.valueOf(limit.toMillis(), 3).stripTrailingZeros().toPlainString();
  }

  private static String excerpt(String cause) {
    return cause.length() <= LONGEST_VALUE ? cause : cause.substring(0, LONGEST_VALUE) + "...";
  }

  /** What hangs in native code or in a client's retries is left behind; its thread holds nobody. */
  private static String within(Duration limit, Callable<String> look)
      throws ExecutionException, TimeoutException, InterruptedException {
    FutureTask<String> task = new FutureTask<>(look);
    Thread thread = new Thread(task, "doctor");
    thread.setDaemon(true);
    thread.start();
    try {
      return task.get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } finally {
      task.cancel(true);
    }
  }
}
