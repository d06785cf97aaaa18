package dev.anneal.spark.train;

import dev.anneal.data.task.ObjectBytes;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.PromptQueue;
import dev.anneal.training.generate.StopStrings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.apache.spark.SparkEnv;
import org.apache.spark.rpc.RpcEndpointRef;
import org.apache.spark.util.RpcUtils;
import scala.reflect.ClassTag$;

/** A rank's way to the driver's {@link PromptDesk}. */
final class PromptClient implements PromptQueue {
  private static final Duration PAUSE = Duration.ofMillis(20);

  /** Peers wait meanwhile, and not for ever. */
  private static final Duration ROUND = Duration.ofSeconds(1);

  private final RpcEndpointRef driver;
  private final BooleanSupplier leaving;

  private PromptClient(RpcEndpointRef driver, BooleanSupplier leaving) {
    this.driver = driver;
    this.leaving = leaving;
  }

  /**
   * The way of a rank on its executor.
   *
   * @param name of the {@link PromptServer}
   * @param leaving whether the rank is to stop
   */
  static PromptClient connect(String name, BooleanSupplier leaving) {
    SparkEnv env = SparkEnv.get();
    return new PromptClient(RpcUtils.makeDriverRef(name, env.conf(), env.rpcEnv()), leaving);
  }

  /** Whether the rank is to stop. */
  boolean isLeaving() {
    return leaving.getAsBoolean();
  }

  @Override
  public Optional<List<Prompt>> next() {
    long begin = System.nanoTime();
    try {
      while (true) {
        @SuppressWarnings("unchecked")
        List<Prompt> prompts = (List<Prompt>) ask(new PromptMessage.Ask());
        boolean tired = isLeaving() || System.nanoTime() - begin > ROUND.toNanos();
        if (prompts == null || !prompts.isEmpty() || tired) {
          return Optional.ofNullable(prompts);
        }
        Thread.sleep(PAUSE.toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the rank was interrupted", e);
    }
  }

  @Override
  public void done(List<Completion> completions) {
    ask(new PromptMessage.Done(new ArrayList<>(completions)));
  }

  /** These stop strings, while every token is told, and where the driver says so it is the last. */
  StopStrings streamed(StopStrings stopStrings) {
    return prompt -> {
      StopStrings.Watcher watcher = stopStrings.watch(prompt);
      return token -> {
        boolean stopped = (boolean) ask(new PromptMessage.Token(prompt.index(), token));
        return watcher.ends(token) || stopped;
      };
    };
  }

  /** Returns when the driver has it. */
  Object ask(PromptMessage message) {
    try {
      byte[] answer = driver.askSync(message.toBytes(), ClassTag$.MODULE$.apply(byte[].class));
      return ObjectBytes.read(answer);
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw new IllegalStateException("no answer came from the driver", e);
    }
  }
}
