package dev.anneal.spark.progress;

import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.spark.SparkContext;
import org.apache.spark.rpc.IsolatedThreadSafeRpcEndpoint;
import org.apache.spark.rpc.RpcCallContext;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.rpc.RpcEnv;
import scala.Function1;
import scala.PartialFunction;
import scala.runtime.AbstractPartialFunction;
import scala.runtime.BoxedUnit;

/**
 * The driver's end of the ranks' channels: an endpoint of Spark's RPC for every run, so that no
 * plugin has to be configured before the session, and several runs may follow one another in it. It
 * has a thread of its own, which takes one message after the other.
 *
 * <p>Spark's RPC is private to Spark in Scala. Of its public ways, plugins have to be named before
 * the session begins, and only one of each class has a driver's side.
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

  private final RpcEnv rpc;
  private final RpcEndpointRef endpoint;
  private volatile Receiver receiver = SEND_AWAY;

  private DriverChannel(RpcEnv rpc, String runId) {
    this.rpc = rpc;
    this.endpoint = rpc.setupEndpoint(name(runId), new Endpoint(rpc, this::receive));
  }

  /** Opens the channel of a run. */
  public static DriverChannel open(SparkContext spark, String runId) {
    return new DriverChannel(spark.env().rpcEnv(), runId);
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

  private DriverCommand receive(String attempt, RankEvent event) {
    return receiver.receive(attempt, event);
  }

  @Override
  public void close() {
    rpc.stop(endpoint);
  }

  private record Endpoint(RpcEnv rpcEnv, BiFunction<String, RankEvent, DriverCommand> receiver)
      implements IsolatedThreadSafeRpcEndpoint {

    @Override
    public PartialFunction<Object, BoxedUnit> receive() {
      return new Handler(this::command, command -> {});
    }

    @Override
    public PartialFunction<Object, BoxedUnit> receiveAndReply(RpcCallContext context) {
      return new Handler(this::command, context::reply);
    }

    private String command(RankMessage message) {
      return receiver.apply(message.attempt(), message.event()).name();
    }
  }

  /** What becomes of one message. */
  private static final class Handler extends AbstractPartialFunction<Object, BoxedUnit> {
    private final Function<RankMessage, String> command;
    private final Consumer<String> reply;

    Handler(Function<RankMessage, String> command, Consumer<String> reply) {
      this.command = command;
      this.reply = reply;
    }

    @Override
    public boolean isDefinedAt(Object message) {
      return message instanceof byte[];
    }

    @Override
    public <A, B> B applyOrElse(A message, Function1<A, B> otherwise) {
      if (!(message instanceof byte[] bytes)) {
        return otherwise.apply(message);
      }
      reply.accept(command.apply(RankMessage.of(bytes)));
      @SuppressWarnings("unchecked")
      B unit = (B) BoxedUnit.UNIT;
      return unit;
    }
  }
}
