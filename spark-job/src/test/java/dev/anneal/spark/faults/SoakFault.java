package dev.anneal.spark.faults;

import dev.anneal.spark.faults.Network.Host;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the soak test does to a run. */
enum SoakFault {
  KILL_EXECUTOR(90, Effect.NEW_ATTEMPT, "kill -9 of an executor") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      ProcessHandle executor = soak.anExecutor();
      Set<String> hit = hosts(soak, executor);
      executor.destroyForcibly();
      return hit;
    }
  },
  TERMINATE_EXECUTOR(30, Effect.NEW_ATTEMPT, "SIGTERM of an executor") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      ProcessHandle executor = soak.anExecutor();
      Set<String> hit = hosts(soak, executor);
      executor.destroy();
      return hit;
    }
  },
  PAUSE_EXECUTOR(20, Effect.DELAY, "an executor stands still for 5 s") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      standStill(soak.anExecutor(), SHORT);
      return NOBODY;
    }
  },
  STOP_EXECUTOR(12, Effect.NEW_ATTEMPT, "an executor stands still for good") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      ProcessHandle executor = soak.anExecutor();
      Set<String> hit = hosts(soak, executor);
      Shell.attempt("kill -STOP " + executor.pid());
      return hit;
    }
  },
  REPLACE_LATE(11, Effect.NEW_ATTEMPT, "kill -9 of two executors, replaced after 15 s") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      ProcessHandle first = soak.anExecutor();
      // without the one to spare there is nobody to go on with
      List<ProcessHandle> there = soak.cluster().executors();
      List<ProcessHandle> killed =
          Stream.concat(Stream.of(first), there.stream().filter(other -> !other.equals(first)))
              .limit(Math.max(1, there.size() - 1))
              .toList();
      Set<String> hit = hosts(soak, killed.toArray(ProcessHandle[]::new));
      killed.forEach(ProcessHandle::destroyForcibly);
      holdBackNewOnes(soak, there);
      return hit;
    }
  },
  STOP_WORKER(11, Effect.NEW_ATTEMPT, "a worker stands still for 25 s") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      Node node = soak.cluster().nodeOf(soak.anExecutor());
      // until the master has missed it
      standStill(node.worker().toHandle(), Duration.ofSeconds(25));
      return Set.of(node.host().address());
    }
  },
  KILL_BEHIND_STOPPED_WORKER(
      11, Effect.NEW_ATTEMPT, "kill -9 of an executor whose worker stands still") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      ProcessHandle executor = soak.anExecutor();
      Set<String> hit = hosts(soak, executor);
      Process worker = soak.cluster().nodeOf(executor).worker();
      long retries = soak.retries();
      Shell.run("kill -STOP " + worker.pid());
      try {
        executor.destroyForcibly();
        awaitRetry(soak, retries);
      } finally {
        Shell.run("kill -CONT " + worker.pid());
      }
      return hit;
    }
  },
  CUT_SHORTLY(18, Effect.DELAY, "a node without network for 5 s") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      Host host = cut(soak);
      Thread.sleep(SHORT.toMillis());
      soak.cluster().network().heal(host);
      return NOBODY;
    }
  },
  CUT(12, Effect.NEW_ATTEMPT, "a node without network until the next attempt") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      long retries = soak.retries();
      Host host = cut(soak);
      try {
        awaitRetry(soak, retries);
      } finally {
        soak.cluster().network().heal(host);
      }
      return Set.of(host.address());
    }
  },
  KILL_DRIVER(16, Effect.NEW_ATTEMPT, "kill -9 of the driver, same command") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      soak.job().driver().destroyForcibly();
      soak.startAgain();
      return NOBODY;
    }
  },
  TERMINATE_DRIVER(12, Effect.NEW_ATTEMPT, "SIGTERM of the driver, same command") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      soak.job().terminate();
      soak.startAgain();
      return NOBODY;
    }
  },
  STOP_DRIVER(11, Effect.DELAY, "the driver stands still for 5 to 50 s") {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      standStill(soak.job().driver(), between(soak, 5, 50));
      // what came meanwhile is heard first
      Thread.sleep(SHORT.toMillis());
      return NOBODY;
    }
  },
  STORE_AWAY(12, Effect.DELAY, "the object store away for 5 s", SoakStore.class) {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      soak.store().goAway();
      Thread.sleep(SHORT.toMillis());
      soak.store().comeBack();
      return NOBODY;
    }
  },
  STORE_THROTTLES(12, Effect.DELAY, "half of all requests answered 503 for 5 s", SoakStore.class) {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      soak.store().failing(0.5);
      Thread.sleep(SHORT.toMillis());
      soak.store().failing(0);
      return NOBODY;
    }
  },
  KEYS_REFUSED(
      11, Effect.MAY_END, "the store refuses the keys for 5 s, same command", SoakStore.class) {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      soak.store().expire(SoakStore.ACCESS_KEY);
      Thread.sleep(SHORT.toMillis());
      soak.store().renew();
      return NOBODY;
    }
  },
  DISK_FULL(11, Effect.MAY_END, "the output disk full for 5 s, same command", SoakDisk.class) {
    @Override
    Set<String> inject(Soak soak) throws Exception {
      soak.disk().filler().fill();
      Thread.sleep(SHORT.toMillis());
      soak.disk().filler().empty();
      return NOBODY;
    }
  };

  private static final Duration SHORT = Duration.ofSeconds(5);
  private static final Duration LATE = Duration.ofSeconds(15);
  private static final Duration LONG = Duration.ofMinutes(2);
  private static final Set<String> NOBODY = Set.of();

  /** What a fault must lead to. */
  enum Effect {
    NEW_ATTEMPT,
    /** The run goes on, in this attempt or in another. */
    DELAY,
    /** The same, or the run ends with exit code 1, and the same command goes on. */
    MAY_END
  }

  private final int share;
  private final Effect effect;
  private final String words;
  private final Class<? extends SoakPlace> place;

  SoakFault(int share, Effect effect, String words) {
    this(share, effect, words, SoakPlace.class);
  }

  SoakFault(int share, Effect effect, String words, Class<? extends SoakPlace> place) {
    this.share = share;
    this.effect = effect;
    this.words = words;
    this.place = place;
  }

  Effect effect() {
    return effect;
  }

  /** What a reader calls it. */
  String words() {
    return words;
  }

  /** Whether it can be done to a run that writes there. */
  boolean happensAt(SoakPlace written) {
    return place.isInstance(written);
  }

  /**
   * Makes it happen; returns when it is over, or when only the run can end it.
   *
   * @return the hosts that it hits; no other may be named as a cause
   */
  abstract Set<String> inject(Soak soak) throws Exception;

  /** So many of all kinds in any order, each kind at least once. */
  static List<SoakFault> deal(int faults, Random random) {
    int sum = Arrays.stream(values()).mapToInt(fault -> fault.share).sum();
    List<SoakFault> dealt = new ArrayList<>();
    for (SoakFault fault : values()) {
      int times = Math.max(1, Math.round((float) fault.share * faults / sum));
      dealt.addAll(Collections.nCopies(times, fault));
    }
    Collections.shuffle(dealt, random);
    return dealt;
  }

  private static Set<String> hosts(Soak soak, ProcessHandle... executors) {
    return Arrays.stream(executors)
        .map(executor -> soak.cluster().nodeOf(executor).host().address())
        .collect(Collectors.toSet());
  }

  private static Duration between(Soak soak, int least, int most) {
    return Duration.ofSeconds(soak.random().nextInt(least, most + 1));
  }

  private static void standStill(ProcessHandle process, Duration time) throws Exception {
    Shell.attempt("kill -STOP " + process.pid());
    Thread.sleep(time.toMillis());
    Shell.attempt("kill -CONT " + process.pid());
  }

  /** Lets no executor begin that was not there, for a while. */
  private static void holdBackNewOnes(Soak soak, List<ProcessHandle> old) throws Exception {
    Set<ProcessHandle> heldBack = new HashSet<>();
    long end = System.nanoTime() + LATE.toNanos();
    try {
      while (System.nanoTime() < end) {
        for (ProcessHandle executor : soak.cluster().executors()) {
          if (!old.contains(executor) && heldBack.add(executor)) {
            Shell.attempt("kill -STOP " + executor.pid());
          }
        }
        Thread.sleep(50);
      }
    } finally {
      heldBack.forEach(executor -> Shell.attempt("kill -CONT " + executor.pid()));
    }
  }

  private static void awaitRetry(Soak soak, long retries) throws Exception {
    Await.until(
        LONG,
        () -> "nobody misses what is gone",
        () -> soak.retries() > retries || !soak.job().isRunning());
  }

  private static Host cut(Soak soak) throws Exception {
    Host host = soak.cluster().nodeOf(soak.anExecutor()).host();
    soak.cluster().network().cut(host);
    return host;
  }
}
