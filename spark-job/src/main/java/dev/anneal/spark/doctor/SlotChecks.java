package dev.anneal.spark.doctor;

import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import java.time.Duration;
import java.util.OptionalInt;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** How many tasks run at once, and whether they are enough for a run. */
final class SlotChecks {
  /** A cluster manager that has room starts executors in that time. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final JavaSparkContext spark;
  private final AnnealConfig config;
  private final SparkConf given;

  /**
   * Of a session.
   *
   * @param given Spark's settings before the doctor changed any
   */
  SlotChecks(JavaSparkContext spark, AnnealConfig config, SparkConf given) {
    this.spark = spark;
    this.config = config;
    this.given = given;
  }

  /** Adds them, when as many executors have come as a run needs, or no more come. */
  int addTo(Looks looks) throws InterruptedException {
    looks.put("dynamic allocation", Finding.of(allocation()));
    int wanted = config.cluster().nodes();
    OptionalInt known = Slots.of(given);
    int slots = isLocal() ? known.orElse(1) : executors(Math.min(wanted, known.orElse(wanted)));
    looks.put("slots", slots >= wanted ? Finding.of(slots(slots)) : tooFew(slots, wanted, known));
    return Math.min(slots, wanted);
  }

  private String allocation() {
    return given.getBoolean("spark.dynamicAllocation.enabled", false) ? "on" : "off";
  }

  private boolean isLocal() {
    return spark.isLocal();
  }

  /** Executors that are there when {@code wanted} have come, or at the end of the patience. */
  private int executors(int wanted) throws InterruptedException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    int executors = executors();
    while (executors < wanted && System.nanoTime() < deadline) {
      Thread.sleep(100);
      executors = executors();
    }
    return executors;
  }

  private int executors() {
    // the driver is among them
    return spark.sc().statusTracker().getExecutorInfos().length - 1;
  }

  private String slots(int slots) {
    if (isLocal()) {
      return "%s threads of the driver".formatted(slots);
    }
    OptionalInt cores = Slots.executorCores(given);
    return cores.isPresent()
        ? "%s executors of %s %s"
            .formatted(slots, cores.getAsInt(), cores.getAsInt() == 1 ? "core" : "cores")
        : "%s executors".formatted(slots);
  }

  private Finding tooFew(int slots, int wanted, OptionalInt known) {
    if (known.isPresent() && known.getAsInt() < wanted) {
      // the settings say so already
      return Finding.of(slots(slots));
    }
    return Finding.stopping(
        "%s %s come in %s seconds, but cluster.nodes asks for %s: give Spark more (spark.executor.instances, spark.cores.max) or the cluster more room, or set cluster.nodes=%s."
            .formatted(
                slots,
                slots == 1 ? "executor has" : "executors have",
                PATIENCE.toSeconds(),
                wanted,
                Math.max(1, slots)));
  }
}
