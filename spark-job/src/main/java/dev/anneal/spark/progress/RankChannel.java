package dev.anneal.spark.progress;

import org.apache.spark.SparkEnv;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.util.RpcUtils;
import scala.reflect.ClassTag$;

/** A node's way to the driver, over Spark's own RPC. */
public final class RankChannel {
  private final RpcEndpointRef driver;
  private final String attempt;

  private RankChannel(RpcEndpointRef driver, String attempt) {
    this.driver = driver;
    this.attempt = attempt;
  }

  /**
   * The channel of the ranks of an attempt, on their executor.
   *
   * @param runId of the {@link DriverChannel} at the other end
   * @throws RuntimeException Spark's, if no answer comes from the driver
   */
  public static RankChannel connect(String runId, String attempt) {
    SparkEnv env = SparkEnv.get();
    return new RankChannel(
        RpcUtils.makeDriverRef(DriverChannel.name(runId), env.conf(), env.rpcEnv()), attempt);
  }

  /** Sends and does not wait. */
  public void send(RankEvent event) {
    driver.send(new RankMessage(attempt, event).toBytes());
  }

  /**
   * Returns when the driver has the event.
   *
   * @throws IllegalStateException if no answer comes
   */
  public DriverCommand deliver(RankEvent event) {
    try {
      String command =
          driver.askSync(
              new RankMessage(attempt, event).toBytes(), ClassTag$.MODULE$.apply(String.class));
      return DriverCommand.valueOf(command);
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw new IllegalStateException("no answer came from the driver", e);
    }
  }
}
