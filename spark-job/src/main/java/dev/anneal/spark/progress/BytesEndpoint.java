package dev.anneal.spark.progress;

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
 * An endpoint of Spark's RPC on the driver, so that no plugin has to be configured before the
 * session. It has a thread of its own, which takes one message after the other.
 *
 * <p>Spark's RPC is private to Spark in Scala. Of its public ways, plugins have to be named before
 * the session begins, and only one of each class has a driver's side.
 */
public final class BytesEndpoint implements AutoCloseable {
  private final RpcEnv rpc;
  private final RpcEndpointRef endpoint;

  private BytesEndpoint(RpcEnv rpc, RpcEndpointRef endpoint) {
    this.rpc = rpc;
    this.endpoint = endpoint;
  }

  /**
   * Opens it.
   *
   * @param name that executors know it by, of one endpoint at a time
   * @param receiver gives what a message is answered, of a class that Spark knows
   */
  public static BytesEndpoint open(
      SparkContext spark, String name, Function<byte[], Object> receiver) {
    RpcEnv rpc = spark.env().rpcEnv();
    return new BytesEndpoint(rpc, rpc.setupEndpoint(name, new Endpoint(rpc, receiver)));
  }

  @Override
  public void close() {
    rpc.stop(endpoint);
  }

  private record Endpoint(RpcEnv rpcEnv, Function<byte[], Object> receiver)
      implements IsolatedThreadSafeRpcEndpoint {

    @Override
    public PartialFunction<Object, BoxedUnit> receive() {
      return new Handler(receiver, answer -> {});
    }

    @Override
    public PartialFunction<Object, BoxedUnit> receiveAndReply(RpcCallContext context) {
      return new Handler(receiver, answer -> say(context, answer));
    }
  }

  /** Bytes or a text: Spark reads an answer without our classes. */
  private static void say(RpcCallContext context, Object answer) {
    if (answer instanceof byte[] bytes) {
      context.reply(bytes);
    } else {
      context.reply((String) answer);
    }
  }

  /** What becomes of one message. */
  private static final class Handler extends AbstractPartialFunction<Object, BoxedUnit> {
    private final Function<byte[], Object> receiver;
    private final Consumer<Object> reply;

    Handler(Function<byte[], Object> receiver, Consumer<Object> reply) {
      this.receiver = receiver;
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
      reply.accept(receiver.apply(bytes));
      @SuppressWarnings("unchecked")
      B unit = (B) BoxedUnit.UNIT;
      return unit;
    }
  }
}
