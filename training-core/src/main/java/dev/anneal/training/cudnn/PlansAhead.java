package dev.anneal.training.cudnn;

import dev.anneal.training.io.Uninterrupted;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.bytedeco.cuda.global.cudart;

/** A thread that makes plans for the GPU that is current where this is made. */
final class PlansAhead implements AutoCloseable {
  private final int device = current();
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread made =
                new Thread(
                    () -> {
                      cudart.cudaSetDevice(device);
                      work.run();
                    },
                    "plans of attention, GPU " + device);
            made.setDaemon(true);
            return made;
          });

  /** Of the thread, which is the only one to touch it before it has ended. */
  private Cudnn cudnn;

  private static int current() {
    int[] device = new int[1];
    cudart.cudaGetDevice(device);
    return device[0];
  }

  /** Makes a plan after those that it was given before, unless somebody else does until then. */
  void make(PromisedPlan plan) {
    thread.execute(
        () -> {
          try {
            plan.get(cudnn());
          } catch (RuntimeException e) {
            // whoever asks for the plan makes it, and is told what is wrong; an executor of
            // Spark's would end for what a thread leaves uncaught
          }
        });
  }

  private Cudnn cudnn() {
    if (cudnn == null) {
      cudnn = new Cudnn();
    }
    return cudnn;
  }

  /** Waits for a plan that is being made; the others are left. */
  void stop() {
    thread.shutdownNow();
    Uninterrupted.until(() -> thread.awaitTermination(1, TimeUnit.MINUTES));
  }

  /** What it has made must be closed. */
  @Override
  public void close() {
    stop();
    if (cudnn != null) {
      cudnn.close();
    }
  }
}
