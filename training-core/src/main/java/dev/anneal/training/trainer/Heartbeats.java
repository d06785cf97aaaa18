package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.io.Uninterrupted;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Work that may take a rank longer than its peers wait for it. While a rank is at work, a thread
 * beside it sums a number with the peers' over and over, so that none waits long; a rank whose
 * process hangs or ends is missed as soon as anywhere else.
 */
final class Heartbeats {
  /** Well below the shortest timeout, which is a second. */
  private static final Duration PAUSE = Duration.ofMillis(250);

  private final Ranks ranks;
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile boolean failed;

  /** What has ended the beats early; read when they are over. */
  private Throwable lost;

  private Heartbeats(Ranks ranks) {
    this.ranks = ranks;
  }

  /**
   * Does {@code work}, which does nothing together with other ranks, and returns when all ranks
   * have done theirs. Every rank calls it, also one that has nothing to do.
   *
   * @throws dev.anneal.training.collective.CollectiveException if a peer is lost meanwhile
   */
  static void during(Ranks ranks, Runnable work) {
    if (ranks.world().worldSize() == 1) {
      work.run();
      return;
    }
    new Heartbeats(ranks).during(work);
  }

  private void during(Runnable work) {
    Thread thread = new Thread(this::beat, "heartbeats of rank " + ranks.rank());
    thread.setDaemon(true);
    thread.start();
    boolean done = false;
    try {
      work.run();
      done = true;
    } finally {
      failed = !done;
      ended.countDown();
      // its collectives end, if only by their timeout
      Uninterrupted.until(
          () -> {
            thread.join();
            return true;
          });
    }
    if (lost != null) {
      if (lost instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) lost;
    }
  }

  private void beat() {
    try {
      if (ranks.device().isGpu()) {
        Gpus.bind(ranks.device());
      }
      Collectives world = ranks.world();
      long done = 0;
      while (done < world.worldSize()) {
        boolean isDone = ended.await(PAUSE.toMillis(), TimeUnit.MILLISECONDS);
        if (failed) {
          return;
        }
        done = ranksThatAreDone(world, isDone);
      }
    } catch (InterruptedException e) {
      lost = new IllegalStateException("the thread of heartbeats was interrupted", e);
    } catch (RuntimeException | Error e) {
      lost = e;
    }
  }

  private long ranksThatAreDone(Collectives world, boolean isDone) {
    try (TensorScope scope = new TensorScope()) {
      Tensor done = Tensors.zeros(ranks.device(), ScalarType.Float, 1);
      if (isDone) {
        done.add_(Tensors.scalar(1));
      }
      world.allReduceSum(done);
      long count = Math.round(done.item_double());
      world.check();
      return count;
    }
  }
}
