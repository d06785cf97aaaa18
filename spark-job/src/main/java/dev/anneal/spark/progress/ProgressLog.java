package dev.anneal.spark.progress;

import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a run goes on in the log of its process, where YARN and Kubernetes keep it with its times:
 * what stays on a terminal line by line, what renews itself there now and then.
 */
final class ProgressLog {
  private static final Logger LOG = LoggerFactory.getLogger(ProgressLog.class);
  private static final long QUIET_NANOS = Duration.ofSeconds(30).toNanos();

  private boolean logged;
  private long loggedAt;

  /** A line that stays. */
  void line(String masked) {
    LOG.info("{}", masked);
  }

  /**
   * A line in the place of the last.
   *
   * @param always whether it is the first or the last of its kind
   */
  void renewed(String masked, long nanos, boolean always) {
    if (always || !logged || nanos - loggedAt >= QUIET_NANOS) {
      LOG.info("{}", masked);
      logged = true;
      loggedAt = nanos;
    }
  }
}
