package dev.anneal.spark.sparkui;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.status.AppHistoryServerPlugin;
import org.apache.spark.status.ElementTrackingStore;
import org.apache.spark.ui.SparkUI;
import org.apache.spark.util.kvstore.KVStore;
import org.apache.spark.util.kvstore.KVStoreIterator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.collection.immutable.List$;

/** Gives the pages that Spark's History Server makes of an application their tab. */
public final class RunHistory implements AppHistoryServerPlugin {
  private static final Logger LOG = LoggerFactory.getLogger(RunHistory.class);

  @Override
  public scala.collection.immutable.List<SparkListener> createListeners(
      SparkConf conf, ElementTrackingStore store) {
    return List$.MODULE$.<SparkListener>empty().$colon$colon(new ToStore(store));
  }

  /** What is kept in the server's store it has again after it was started anew. */
  private static final class ToStore extends SparkListener {
    private final ElementTrackingStore store;

    ToStore(ElementTrackingStore store) {
      this.store = store;
    }

    @Override
    public void onOtherEvent(SparkListenerEvent event) {
      if (event instanceof RunEvent run) {
        store.write(run);
      }
    }
  }

  @Override
  public void setupUI(SparkUI ui) {
    // whatever goes wrong here, the application's other pages are of use
    try {
      KVStore store = ui.store().store();
      if (!snapshots(store).isEmpty()) {
        RunTab.attach(ui, () -> snapshots(store));
      }
    } catch (RuntimeException | LinkageError e) {
      LOG.warn("there is no tab for the runs of this application", e);
    }
  }

  private static Collection<String> snapshots(KVStore store) {
    List<String> snapshots = new ArrayList<>();
    try (KVStoreIterator<RunEvent> runs = store.view(RunEvent.class).closeableIterator()) {
      runs.forEachRemaining(run -> snapshots.add(run.getSnapshot()));
    } catch (Exception e) {
      throw new IllegalStateException("the History Server's store cannot be read", e);
    }
    return snapshots;
  }
}
