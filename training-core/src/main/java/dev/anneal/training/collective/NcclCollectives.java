package dev.anneal.training.collective;

import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.AllgatherOptions;
import org.bytedeco.pytorch.AllreduceOptions;
import org.bytedeco.pytorch.ReduceScatterOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch.ErrorType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.bytedeco.pytorch.nccl.ProcessGroupNCCL;

/**
 * Collectives between GPUs over NCCL, in one process or several. A call puts the collective into
 * the current stream, behind what is there and before what comes, and returns; a watch of its own
 * sees to it that none waits for a peer for longer than the timeout. When one does, the group is
 * aborted, which frees the streams, and with them whoever waits for them on the host: what was
 * computed since is void, and {@link #check} and every further call throw.
 */
public final class NcclCollectives implements Collectives {
  /** libtorch's own timeouts would come with dumps and waits: the watch has ours. */
  private static final Duration NEVER = Duration.ofDays(365);

  private static final Duration FAREWELL = Duration.ofSeconds(5);

  private static final String PEER_LEFT =
      "a peer has left: look for the first error of the other ranks.";

  private final ProcessGroupNCCL group;
  private final RendezvousStore store;
  private final String name;
  private final Device device;
  private final int rank;
  private final int worldSize;
  private final AllreduceOptions allReduce = new AllreduceOptions();
  private final AllgatherOptions allGather = new AllgatherOptions();
  private final ReduceScatterOptions reduceScatter = new ReduceScatterOptions();
  private final Queue<CUDAEvent> idleEvents = new ConcurrentLinkedQueue<>();
  private final List<PeerWaits> waits = new CopyOnWriteArrayList<>();
  private final AtomicReference<CollectiveException> failure = new AtomicReference<>();
  private final CallWatch watch;
  private final CountDownLatch aborted = new CountDownLatch(1);

  private NcclCollectives(
      ProcessGroupNCCL group,
      RendezvousStore store,
      String name,
      Device device,
      int rank,
      int worldSize,
      Duration timeout) {
    this.group = group;
    this.store = store;
    this.name = name;
    this.device = device;
    this.rank = rank;
    this.worldSize = worldSize;
    // the group outlives the scope it is made in: close() lets go of it, and of what it is called
    // with
    group.retainReference();
    allReduce.retainReference();
    allGather.retainReference();
    reduceScatter.retainReference();
    // in the current stream, and not in one of the group's own
    allReduce.asyncOp(false);
    allGather.asyncOp(false);
    reduceScatter.asyncOp(false);
    this.watch = new CallWatch(caller(), timeout, this::requireHealth, this::fail);
  }

  /**
   * Joins a group; returns when all of its ranks have and are connected.
   *
   * @param store this rank's own connection to the store at which they meet; it stays open as long
   *     as the group
   * @param name tells groups at one store apart
   * @param device this rank's GPU, which is the current one of the calling thread
   * @param timeout how long to wait for the others, here and in every collective
   * @throws CollectiveException if they do not come
   */
  public static NcclCollectives join(
      RendezvousStore store,
      String name,
      Device device,
      int rank,
      int worldSize,
      Duration timeout) {
    NcclSettings.apply(store.localAddress());
    // NCCL itself would wait for them forever
    if (!store.meet(name + "/arrived", worldSize, timeout)) {
      throw new CollectiveException(
          "Rank %s of %s did not meet its %s peers within %s s: look for the first error of the other ranks."
              .formatted(rank, name, worldSize - 1, timeout.toSeconds()),
          null,
          PeerLoss.TIMED_OUT);
    }
    NcclCollectives collectives = create(store, name, device, rank, worldSize, timeout);
    try {
      // NCCL connects at the first call
      collectives.barrier();
      return collectives;
    } catch (Throwable e) {
      collectives.close();
      throw e;
    }
  }

  private static NcclCollectives create(
      RendezvousStore store,
      String name,
      Device device,
      int rank,
      int worldSize,
      Duration timeout) {
    try (PointerScope scope = new PointerScope()) {
      ProcessGroupNCCL.Options options = ProcessGroupNCCL.Options.create();
      options.timeout(new Milliseconds(NEVER.toMillis()));
      ProcessGroupNCCL group =
          new ProcessGroupNCCL(store.connection(name), rank, worldSize, options);
      return new NcclCollectives(group, store, name, device, rank, worldSize, timeout);
    } catch (RuntimeException e) {
      throw new CollectiveException(
          "Rank %s of %s cannot use NCCL: %s".formatted(rank, name, NativeErrors.firstLine(e)), e);
    }
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int worldSize() {
    return worldSize;
  }

  @Override
  public void allReduceSum(Tensor tensor) {
    try (TensorScope scope = new TensorScope()) {
      enqueue("all_reduce", () -> group.allreduce(new TensorVector(tensor), allReduce));
    }
  }

  @Override
  public Tensor allGather(Tensor shard) {
    Tensor whole = Tensors.emptyLike(shard, worldSize * shard.numel());
    allGatherInto(whole, shard);
    return whole;
  }

  @Override
  public void allGatherInto(Tensor whole, Tensor shard) {
    try (TensorScope scope = new TensorScope()) {
      Tensor to = Bytes.sendable(whole);
      Tensor from = Bytes.sendable(shard);
      enqueue("all_gather", () -> group._allgather_base(to, from, allGather));
    }
  }

  @Override
  public void reduceScatterSum(Tensor shard, Tensor whole) {
    try (TensorScope scope = new TensorScope()) {
      enqueue("reduce_scatter", () -> group._reduce_scatter_base(shard, whole, reduceScatter));
    }
  }

  @Override
  public void barrier() {
    try (TensorScope scope = new TensorScope()) {
      Tensor token = Tensors.zeros(device, ScalarType.Float, 1);
      enqueue("barrier", () -> group.allreduce(new TensorVector(token), allReduce));
      currentStream().synchronize();
    } catch (CollectiveException e) {
      throw e;
    } catch (RuntimeException e) {
      throw failed("barrier", e);
    }
    check();
  }

  @Override
  public void watched(String call, Runnable work) {
    enqueue(call, work);
  }

  @Override
  public void include(PeerWaits more) {
    waits.add(more);
    if (failure.get() != null) {
      more.release();
    }
  }

  @Override
  public void exclude(PeerWaits over) {
    waits.remove(over);
  }

  @Override
  public void check() {
    for (PeerWaits wait : waits) {
      if (wait.areVoid()) {
        fail(new CollectiveException("%s: %s".formatted(caller(), PEER_LEFT), null));
      }
    }
    CollectiveException cause = failure.get();
    if (cause != null) {
      // the stack trace of whoever meets it, with that of the watch behind it
      throw new CollectiveException(cause.getMessage(), cause, cause.loss());
    }
  }

  @Override
  public void abort() {
    fail(new CollectiveException(caller() + " was told to leave its peers.", null));
  }

  @Override
  public void close() {
    if (failure.get() == null) {
      // what a peer still reads of this GPU must stay until it is done with it
      store.meet(name + "/left", worldSize, FAREWELL);
      abort();
    }
    watch.close();
    if (hasAborted()) {
      release();
    }
    // else destroying the group would wait for what hangs
  }

  private boolean hasAborted() {
    try {
      return aborted.await(FAREWELL.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private void release() {
    group.releaseReference();
    allReduce.releaseReference();
    allGather.releaseReference();
    reduceScatter.releaseReference();
    idleEvents.forEach(CUDAEvent::releaseReference);
  }

  private void enqueue(String call, Runnable collective) {
    check();
    Enqueued enqueued = new Enqueued(call, event());
    // from here on: NCCL may wait for a peer on the host as well
    watch.begin(enqueued);
    try (CUDAStream current = currentStream()) {
      collective.run();
      enqueued.record(current);
    } catch (RuntimeException e) {
      throw failed(call, e);
    }
  }

  private CollectiveException failed(String call, RuntimeException e) {
    CollectiveException error =
        new CollectiveException(
            "%s failed in %s: %s".formatted(caller(), call, NativeErrors.firstLine(e)), e);
    fail(error);
    CollectiveException first = failure.get();
    return first == error ? error : new CollectiveException(first.getMessage(), e, first.loss());
  }

  /** Takes down the first failure and frees the GPU. */
  private void fail(CollectiveException cause) {
    if (failure.compareAndSet(null, cause)) {
      waits.forEach(PeerWaits::release);
      // NCCL may wait for calls on the way
      Thread thread = new Thread(this::abortGroup, "abort of " + caller());
      thread.setDaemon(true);
      thread.start();
    }
  }

  private void abortGroup() {
    try {
      group.abort();
    } finally {
      aborted.countDown();
    }
  }

  private void requireHealth() {
    for (PeerWaits wait : waits) {
      if (wait.areEnded()) {
        throw new IllegalStateException(PEER_LEFT);
      }
    }
    ErrorType error = group.getError();
    if (error.value != ErrorType.SUCCESS.value) {
      throw new IllegalStateException(
          "NCCL has lost a peer (%s): look for the first error of the other ranks."
              .formatted(error.intern()));
    }
  }

  private CUDAEvent event() {
    CUDAEvent idle = idleEvents.poll();
    if (idle != null) {
      return idle;
    }
    CUDAEvent event = new CUDAEvent();
    event.retainReference();
    return event;
  }

  private CUDAStream currentStream() {
    return torch_cuda.getCurrentCUDAStream((byte) device.cuda());
  }

  private String caller() {
    return "Rank %s of %s".formatted(rank, name);
  }

  /** A collective that the GPU may still be at. */
  private final class Enqueued implements CallWatch.Call {
    private final String name;
    private final CUDAEvent end;
    private volatile boolean recorded;

    Enqueued(String name, CUDAEvent end) {
      this.name = name;
      this.end = end;
    }

    void record(CUDAStream stream) {
      end.record(stream);
      recorded = true;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public boolean isDone() {
      if (!recorded || !end.query()) {
        return false;
      }
      idleEvents.add(end);
      return true;
    }
  }
}
