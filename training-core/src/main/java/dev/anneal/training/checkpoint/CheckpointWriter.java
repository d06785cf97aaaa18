package dev.anneal.training.checkpoint;

import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.NativeErrors;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Writes a rank's parts of checkpoints on a thread of its own while training goes on. A part that
 * cannot be written never ends the training: the sink hears of it.
 */
public final class CheckpointWriter implements AutoCloseable {
  private static final long POLL_MILLIS = 100;

  /** How long an abandoned write may take to notice; then it is left to itself. */
  private static final long ABANDON_SECONDS = 2;

  private final CheckpointSink sink;
  private final RankRole role;
  private final Snapshot snapshot;
  private final PartFiles files;
  private final ExecutorService thread;
  private Future<?> writing = CompletableFuture.completedFuture(null);
  private volatile boolean busy;
  private volatile boolean abandoned;
  private final Set<Long> lostSteps = ConcurrentHashMap.newKeySet();

  /** Allocates the host memory for what {@code role} writes of the parameters and the optimizer. */
  public CheckpointWriter(
      CheckpointSink sink, Parameters parameters, AdamW optimizer, RankRole role) {
    this.sink = sink;
    this.role = role;
    this.snapshot =
        new Snapshot(
            parameters,
            optimizer,
            role.device(),
            role.worldSize(),
            role.writesAdapter() ? Snapshot.Values.MASTER_AND_COMPUTE : Snapshot.Values.MASTER);
    this.files = new PartFiles(snapshot, parameters, role);
    this.thread =
        Executors.newSingleThreadExecutor(
            work -> {
              Thread writer = new Thread(work, "checkpoint-writer-" + role.rank());
              writer.setDaemon(true);
              return writer;
            });
  }

  /** Whether the last part is still being written. */
  public boolean isBusy() {
    return busy;
  }

  /**
   * Copies the tensors as the current stream's work so far leaves them, and begins to write them.
   *
   * @param bestStep see {@link CheckpointPart}
   * @throws IllegalStateException if it is busy
   */
  public void take(TrainerState state, long bestStep) {
    if (isBusy()) {
      throw new IllegalStateException("the checkpoint before is still being written");
    }
    snapshot.take();
    busy = true;
    writing = thread.submit(() -> write(state, bestStep));
  }

  /** Whether this rank's part of the checkpoint after {@code step} could not be written. */
  public boolean hasLost(long step) {
    return lostSteps.contains(step);
  }

  /** Makes the current stream wait until the tensors may change. */
  public void awaitCopied() {
    snapshot.awaitCopied();
  }

  private void write(TrainerState state, long bestStep) {
    try {
      snapshot.synchronize();
      OutputFolder folder = sink.folder(state.step());
      CheckpointPart part = files.write(state, bestStep, folder);
      // whoever hears of it may take the next at once
      busy = false;
      if (!abandoned) {
        sink.written(part);
      }
    } catch (Throwable e) {
      lostSteps.add(state.step());
      busy = false;
      // an Error, too, costs only this part: an upload's buffers may not fit, or a file system fail
      if (!abandoned) {
        sink.failed(state.step(), role.rank(), NativeErrors.firstLine(e));
      }
    }
  }

  /**
   * Returns when the last part is written or has failed.
   *
   * @param check asked now and then; what it throws ends the wait
   */
  public void await(Runnable check) {
    while (true) {
      try {
        writing.get(POLL_MILLIS, TimeUnit.MILLISECONDS);
        return;
      } catch (TimeoutException e) {
        check.run();
      } catch (ExecutionException e) {
        // the sink threw at being told of a failure: there is nobody left to tell
        return;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted while a checkpoint was being written", e);
      }
    }
  }

  /**
   * Abandons what is still being written. Where that hangs, its thread keeps the host memory until
   * it comes back.
   */
  @Override
  public void close() {
    abandoned = !writing.isDone();
    thread.execute(snapshot::close);
    if (abandoned) {
      writing.cancel(true);
    }
    thread.shutdown();
    try {
      thread.awaitTermination(ABANDON_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
