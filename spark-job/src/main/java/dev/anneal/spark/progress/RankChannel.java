package dev.anneal.spark.progress;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.apache.spark.api.plugin.PluginContext;

/**
 * The way between the ranks and the driver, over Spark's own RPC. Spark makes the plugin at both
 * ends itself and shows it to nobody, so they meet their users in two slots of the process, which
 * has one Spark context and one executor.
 */
public final class RankChannel {
  private static final AtomicReference<PluginContext> EXECUTOR = new AtomicReference<>();
  private static final AtomicReference<Function<RankMessage, DriverCommand>> DRIVER =
      new AtomicReference<>();

  private final String attempt;

  private RankChannel(String attempt) {
    this.attempt = attempt;
  }

  /** On the driver: hands every message to {@code receiver}, one at a time. */
  public static void receiveWith(Function<RankMessage, DriverCommand> receiver) {
    DRIVER.set(receiver);
  }

  /** On an executor: the channel of the ranks of {@code attempt}. */
  public static RankChannel of(String attempt) {
    return new RankChannel(attempt);
  }

  /** Sends and does not wait. */
  public void send(RankEvent event) {
    try {
      EXECUTOR.get().send(new RankMessage(attempt, event));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Returns when the driver has the event.
   *
   * @throws IllegalStateException if it does not answer
   */
  public DriverCommand deliver(RankEvent event) {
    try {
      return (DriverCommand) EXECUTOR.get().ask(new RankMessage(attempt, event));
    } catch (Exception e) {
      throw new IllegalStateException("The driver does not answer.", e);
    }
  }

  static void connect(PluginContext executor) {
    EXECUTOR.set(executor);
  }

  static DriverCommand receive(RankMessage message) {
    Function<RankMessage, DriverCommand> receiver = DRIVER.get();
    return receiver == null ? DriverCommand.LEAVE : receiver.apply(message);
  }
}
