package dev.anneal.spark.sparkui;

import java.util.Collection;
import java.util.NavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import org.apache.spark.ui.SparkUI;

/** The runs of an application that goes on, the last of many. */
final class LiveRuns implements Supplier<Collection<String>> {
  private final NavigableMap<String, Supplier<String>> snapshots = new ConcurrentSkipListMap<>();
  private RunTab tab;

  private LiveRuns() {}

  /** For nobody. */
  static LiveRuns unseen() {
    return new LiveRuns();
  }

  /** Those of the application; they are for nobody where it has no pages. */
  static synchronized LiveRuns of(SparkContext spark) {
    if (spark.ui().isEmpty()) {
      return unseen();
    }
    SparkUI ui = spark.ui().get();
    if (RunTab.of(ui).orElse(null) instanceof RunTab tab
        && tab.snapshots() instanceof LiveRuns runs) {
      return runs;
    }
    LiveRuns runs = new LiveRuns();
    runs.tab = RunTab.attach(ui, runs);
    return runs;
  }

  @Override
  public Collection<String> get() {
    return snapshots.values().stream().map(Supplier::get).toList();
  }

  /** Shows a run, or shows it otherwise. */
  void put(String run, Supplier<String> snapshot) {
    snapshots.put(run, snapshot);
    while (snapshots.size() > RunTab.MOST_RUNS) {
      snapshots.pollFirstEntry();
    }
    renew();
  }

  void remove(String run) {
    snapshots.remove(run);
    renew();
  }

  private void renew() {
    if (tab != null) {
      tab.renew();
    }
  }
}
