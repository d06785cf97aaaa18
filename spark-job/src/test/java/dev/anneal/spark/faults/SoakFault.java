package dev.anneal.spark.faults;

import dev.anneal.spark.faults.Network.Host;
import java.time.Duration;
import java.util.Random;

/** What the soak test does to a run. */
enum SoakFault {
  KILL_EXECUTOR(44, Effect.NEW_ATTEMPT, "kill -9 of an executor") {
    @Override
    void inject(Soak soak) throws Exception {
      soak.anExecutor().destroyForcibly();
    }
  },
  TERMINATE_EXECUTOR(14, Effect.NEW_ATTEMPT, "SIGTERM of an executor") {
    @Override
    void inject(Soak soak) throws Exception {
      soak.anExecutor().destroy();
    }
  },
  PAUSE_EXECUTOR(8, Effect.DELAY, "an executor stands still for 5 s") {
    @Override
    void inject(Soak soak) throws Exception {
      ProcessHandle executor = soak.anExecutor();
      Shell.attempt("kill -STOP " + executor.pid());
      Thread.sleep(SHORT.toMillis());
      Shell.attempt("kill -CONT " + executor.pid());
    }
  },
  STOP_EXECUTOR(3, Effect.NEW_ATTEMPT, "an executor stands still for good") {
    @Override
    void inject(Soak soak) throws Exception {
      Shell.attempt("kill -STOP " + soak.anExecutor().pid());
    }
  },
  CUT_SHORTLY(8, Effect.DELAY, "a node without network for 5 s") {
    @Override
    void inject(Soak soak) throws Exception {
      Host host = cut(soak);
      Thread.sleep(SHORT.toMillis());
      soak.cluster().network().heal(host);
    }
  },
  CUT(3, Effect.NEW_ATTEMPT, "a node without network until the next attempt") {
    @Override
    void inject(Soak soak) throws Exception {
      long retries = soak.retries();
      Host host = cut(soak);
      try {
        Await.until(
            LONG,
            () -> "nobody misses the node",
            () -> soak.retries() > retries || !soak.job().isRunning());
      } finally {
        soak.cluster().network().heal(host);
      }
    }
  },
  KILL_DRIVER(6, Effect.NEW_ATTEMPT, "kill -9 of the driver, same command") {
    @Override
    void inject(Soak soak) throws Exception {
      soak.job().driver().destroyForcibly();
      soak.startAgain();
    }
  },
  TERMINATE_DRIVER(4, Effect.NEW_ATTEMPT, "SIGTERM of the driver, same command") {
    @Override
    void inject(Soak soak) throws Exception {
      soak.job().terminate();
      soak.startAgain();
    }
  },
  STORE_AWAY(5, Effect.DELAY, "the object store away for 5 s") {
    @Override
    void inject(Soak soak) throws Exception {
      soak.store().goAway();
      Thread.sleep(SHORT.toMillis());
      soak.store().comeBack();
    }
  },
  STORE_THROTTLES(5, Effect.DELAY, "half of all requests answered 503 for 5 s") {
    @Override
    void inject(Soak soak) throws Exception {
      soak.store().failing(0.5);
      Thread.sleep(SHORT.toMillis());
      soak.store().failing(0);
    }
  };

  private static final Duration SHORT = Duration.ofSeconds(5);
  private static final Duration LONG = Duration.ofMinutes(2);

  /** What a fault must lead to. */
  enum Effect {
    NEW_ATTEMPT,
    DELAY
  }

  private final int weight;
  private final Effect effect;
  private final String words;

  SoakFault(int weight, Effect effect, String words) {
    this.weight = weight;
    this.effect = effect;
    this.words = words;
  }

  Effect effect() {
    return effect;
  }

  /** Makes it happen; returns when it is over, or when only the run can end it. */
  abstract void inject(Soak soak) throws Exception;

  /** What a reader calls it. */
  String words() {
    return words;
  }

  /** One at random, those of more weight more often. */
  static SoakFault any(Random random) {
    int sum = 0;
    for (SoakFault fault : values()) {
      sum += fault.weight;
    }
    int drawn = random.nextInt(sum);
    for (SoakFault fault : values()) {
      drawn -= fault.weight;
      if (drawn < 0) {
        return fault;
      }
    }
    throw new AssertionError("the weights add up to their sum");
  }

  private static Host cut(Soak soak) throws Exception {
    Host host = soak.cluster().nodeOf(soak.anExecutor()).host();
    soak.cluster().network().cut(host);
    return host;
  }
}
