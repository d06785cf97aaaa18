package dev.anneal.spark.tracking;

import dev.anneal.spark.output.MetricsLine;
import dev.anneal.spark.output.MetricsLog;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/** What a run has measured so far, and when: the metrics log with the time of every line. */
public final class Measurements {
  private static final int FIRST_STEPS = 1024;

  private final MetricsLog log;
  private final LongSupplier clock;
  private final long begun;
  private final boolean anew;
  private final Map<Long, Long> evaluations = new HashMap<>();
  // by step; 0 where nobody knows
  private long[] steps = new long[FIRST_STEPS];

  /**
   * @param clock milliseconds since 1970
   */
  public Measurements(MetricsLog log, LongSupplier clock) {
    this.log = log;
    this.clock = clock;
    this.begun = log.lastStep();
    this.anew = log.after(null, 1).isEmpty();
  }

  /** Whether nothing had been measured before: it goes on from no checkpoint. */
  public boolean beginAnew() {
    return anew;
  }

  /** A step is measured now. */
  public synchronized void step(long step) {
    put(step, clock.getAsLong());
  }

  /** The held-out loss after a step is measured now. */
  public synchronized void evaluation(long step) {
    evaluations.put(step, clock.getAsLong());
  }

  /** When a line was measured; for one of an earlier process the time at which that is asked. */
  public synchronized long millis(MetricsLine line) {
    if (line.isEvaluation()) {
      return evaluations.computeIfAbsent(line.step(), step -> clock.getAsLong());
    }
    if (line.step() >= steps.length || steps[(int) line.step()] == 0) {
      put(line.step(), clock.getAsLong());
    }
    return steps[(int) line.step()];
  }

  /** Takes over when a line of an earlier process was measured. */
  public synchronized void restore(long step, boolean evaluation, long millis) {
    if (step > begun) {
      // it is measured again
      return;
    }
    if (evaluation) {
      evaluations.put(step, millis);
    } else {
      put(step, millis);
    }
  }

  /** At most {@code most} lines behind one, from the first on behind {@code null}. */
  public List<MetricsLine> after(MetricsLine line, int most) {
    return log.after(line, most);
  }

  private void put(long step, long millis) {
    if (step >= steps.length) {
      steps = Arrays.copyOf(steps, Math.toIntExact(Math.max(step + 1, 2L * steps.length)));
    }
    steps[(int) step] = millis;
  }
}
