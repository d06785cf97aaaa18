package dev.anneal.spark.progress;

import org.apache.spark.SparkContext;

/**
 * The driver's end of the ranks' channels: an endpoint for every run, so that several runs may
 * follow one another in a session.
 */
public final class DriverChannel implements AutoCloseable {
  /** Takes what a rank tells. */
  @FunctionalInterface
  public interface Receiver {
    /**
     * One message.
     *
     * @param attempt that the rank belongs to
     * @return what the rank is to do
     */
    DriverCommand receive(String attempt, RankEvent event);
  }

  private static final Receiver SEND_AWAY = (attempt, event) -> DriverCommand.LEAVE;

  private final BytesEndpoint endpoint;
  private volatile Receiver receiver = SEND_AWAY;

  private DriverChannel(SparkContext spark, String runId) {
    this.endpoint = BytesEndpoint.open(spark, name(runId), this::command);
  }

  /** Opens the channel of a run. */
  public static DriverChannel open(SparkContext spark, String runId) {
    return new DriverChannel(spark, runId);
  }

  static String name(String runId) {
    return "anneal-" + runId;
  }

  /** Hands every message to {@code receiver} from now on, one at a time. */
  public void receiveWith(Receiver receiver) {
    this.receiver = receiver;
  }

  /** Sends whoever still tells something away. */
  public void receiveNothing() {
    this.receiver = SEND_AWAY;
  }

  private String command(byte[] bytes) {
    RankMessage message = RankMessage.of(bytes);
    return receiver.receive(message.attempt(), message.event()).name();
  }

  @Override
  public void close() {
    endpoint.close();
  }
}
