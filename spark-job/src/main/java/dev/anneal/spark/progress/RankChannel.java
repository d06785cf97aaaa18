package dev.anneal.spark.progress;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.spark.api.plugin.PluginContext;

/**
 * The way of a rank's events to the driver, over Spark's own RPC. Spark makes the plugin at both
 * ends itself and shows it to nobody, so they meet their users in two slots of the process, which
 * has one Spark context and one executor.
 */
public final class RankChannel {
  private static final AtomicReference<PluginContext> EXECUTOR = new AtomicReference<>();
  private static final AtomicReference<Consumer<RankEvent>> DRIVER = new AtomicReference<>();

  private RankChannel() {}

  /** On the driver: hands every event to {@code receiver}, one at a time. */
  public static void receiveWith(Consumer<RankEvent> receiver) {
    DRIVER.set(receiver);
  }

  /** On an executor: sends and does not wait. */
  public static void send(RankEvent event) {
    try {
      EXECUTOR.get().send(event);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** On an executor: returns when the driver has the event. */
  public static void deliver(RankEvent event) {
    try {
      EXECUTOR.get().ask(event);
    } catch (Exception e) {
      throw new IllegalStateException("The driver does not answer.", e);
    }
  }

  static void connect(PluginContext executor) {
    EXECUTOR.set(executor);
  }

  static void receive(RankEvent event) {
    Consumer<RankEvent> receiver = DRIVER.get();
    if (receiver != null) {
      receiver.accept(event);
    }
  }
}
