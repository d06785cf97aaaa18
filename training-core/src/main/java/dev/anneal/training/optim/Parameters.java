package dev.anneal.training.optim;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.peer.CopiedCollectives;
import dev.anneal.training.peer.NoPeerAccessException;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import java.util.function.BiConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * All trained weights as flat vectors, so that a reduction, a norm or an optimizer step is a
 * handful of calls whatever the model. The vectors are cut into buckets (a layer's parameters
 * each), and every bucket into as many equal parts as there are ranks: a rank keeps the fp32 values
 * and the gradient of its own parts only (Rajbhandari et al. 2020, <a
 * href="https://arxiv.org/abs/1910.02054">ZeRO</a>, stage 2). What models compute with comes
 * together from all ranks, as {@link Gathered} says.
 */
public final class Parameters implements AutoCloseable {
  /** When the values that models compute with come together from all ranks. */
  public enum Gathered {
    /** once a step; all of them are on every rank then */
    ONCE_A_STEP,
    /**
     * a bucket whenever it is used, in two places that buckets share. All ranks use the same ones
     * in the same order.
     */
    BY_BUCKET
  }

  /** When gradients are summed over the ranks, which have them whole until then. */
  public enum Summed {
    /**
     * each bucket when it is complete, beside what is computed next; in two places that buckets
     * share, so that no rank gets further ahead than that
     */
    BY_BUCKET,
    /**
     * all buckets of a micro-batch together behind the last of them, each in a place of its own: no
     * rank waits for another before that, but then for all the sums
     */
    BY_MICRO_BATCH
  }

  /**
   * How ranks exchange parameters.
   *
   * @param gathered when values come together
   * @param summed when gradients do
   * @param arena of the device: where lies what other ranks read once they {@link
   *     #exchangeByCopies}; closed with the parameters
   */
  public record Exchange(Gathered gathered, Summed summed, PeerArena arena) {
    /** By the group's collectives alone. */
    public Exchange(Device device, Gathered gathered, Summed summed) {
      this(gathered, summed, PeerArena.ordinary(device, null, "they do not copy"));
    }
  }

  /** For the bucket that is used next: none is known. */
  public static final int NONE = ComputeValues.NONE;

  /** Name and shape of one parameter. */
  public record Shape(String name, long... dims) {
    /** Elements of the parameter. */
    public long numel() {
      long n = 1;
      for (long dim : dims) {
        n *= dim;
      }
      return n;
    }
  }

  private final ParameterLayout layout;
  private final Collectives world;
  private final BucketExchange exchange;
  private final Tensor master;
  private final BucketGradients gradients;
  private final DType computeDtype;
  private final ComputeValues computeValues;

  /**
   * Zeroed parameters in the current tensor scope, gathered once a step.
   *
   * @param buckets the parameters of every bucket in their order
   */
  public Parameters(
      List<List<Shape>> buckets, DType computeDtype, Device device, Collectives world) {
    this(buckets, computeDtype, device, world, Gathered.ONCE_A_STEP);
  }

  /** The same; a rank on its own has nothing to gather. */
  public Parameters(
      List<List<Shape>> buckets,
      DType computeDtype,
      Device device,
      Collectives world,
      Gathered gathered) {
    this(buckets, computeDtype, world, new Exchange(device, gathered, Summed.BY_BUCKET));
  }

  /** The same on the arena's device; a rank on its own has nothing to exchange. */
  public Parameters(
      List<List<Shape>> buckets, DType computeDtype, Collectives world, Exchange how) {
    Device device = how.arena().device();
    this.world = world;
    this.computeDtype = computeDtype;
    this.exchange = new BucketExchange(world, how.arena());
    this.layout = new ParameterLayout(buckets, world.worldSize());
    BucketParts parts = layout.parts();
    try {
      master = Tensors.zeros(device, ScalarType.Float, parts.total());
      gradients = new BucketGradients(parts, exchange, device, how.summed());
      computeValues =
          how.gathered() == Gathered.BY_BUCKET && world.worldSize() > 1
              ? new GatheredValues(parts, exchange, device, computeDtype)
              : new WholeValues(parts, exchange, device, computeDtype, master);
    } catch (RuntimeException | Error e) {
      try (exchange) {
        throw e;
      }
    }
  }

  /**
   * From now on ranks exchange by copies out of each other's memory instead of the group's
   * collectives: a collective, before the first step. It takes memory in the current tensor scope.
   * All ranks write and {@link #reduce} the same buckets in the same order then, so that each
   * bucket's gradient is in the same place of all.
   *
   * @throws NoPeerAccessException on all ranks alike, if they cannot; then the group goes on
   */
  public void exchangeByCopies() throws NoPeerAccessException {
    exchange.useCopies(largestPart(layout.parts()));
  }

  /** Whether ranks exchange by copies. */
  public boolean exchangesByCopies() {
    return exchange.usesCopies();
  }

  private static long largestPart(BucketParts parts) {
    return parts.largest() / parts.worldSize();
  }

  /** Where parameters lie. */
  public ParameterLayout layout() {
    return layout;
  }

  /** Whose parts are here. */
  int rank() {
    return world.rank();
  }

  /** The fp32 values of this rank's parts, {@code [n]}. */
  public Tensor master() {
    return master;
  }

  /**
   * The gradient of this rank's parts, {@code [n]} fp32: what was added to buckets and, with
   * several ranks, reduced since {@link #zeroGradient}.
   */
  public Tensor ownGradient() {
    return gradients.own();
  }

  /** Where an optimizer leaves {@link #master} in the compute dtype; it may do so at once. */
  Tensor ownCompute() {
    return computeValues.own();
  }

  /** Of the values that models compute with. */
  public DType computeDtype() {
    return computeDtype;
  }

  /** How many of them there are, with the padding of the buckets. */
  public long computeNumel() {
    return world.worldSize() * layout.parts().total();
  }

  /** Whether all values that models compute with are on every rank. */
  public boolean computeIsTogether() {
    return computeValues.areTogether();
  }

  /**
   * The values that models compute with, {@code [n]} of all buckets with their padding, which are
   * there for what the current stream does next.
   *
   * @throws IllegalStateException unless {@link #computeIsTogether}
   */
  public Tensor compute() {
    return computeValues.all();
  }

  /**
   * The values of {@code name} in the compute dtype, in its shape, which are there for what the
   * current stream does next, as after {@link #use} of its bucket.
   */
  public Tensor compute(String name) {
    int bucket = layout.bucket(name);
    return layout.inBucket(compute(use(bucket, NONE), bucket), name);
  }

  /**
   * Makes the values of {@code bucket} be there for what the current stream does next. Where they
   * are not {@link #computeIsTogether together}, the second bucket that comes after it takes its
   * place; where they are, whoever keeps views of them calls this before each use.
   *
   * @param next the bucket that is used after it and may come meanwhile, or {@link #NONE}
   * @return the place where they are
   */
  public int use(int bucket, int next) {
    return computeValues.use(bucket, next);
  }

  /** How many places there are for the values of a bucket. */
  public int places() {
    return computeValues.places();
  }

  /**
   * The memory that the values of a whole bucket have in a place, {@code [n]} in the compute dtype
   * with the bucket's padding. It never moves; {@link #use} says when the values are there.
   */
  public Tensor compute(int place, int bucket) {
    return computeValues.bucket(place, bucket);
  }

  /**
   * Brings the values of one bucket after the other together, where they never all are, and hands
   * each that has any to {@code copy} with its number, on a GPU with another stream as the current
   * one. Every rank calls it.
   */
  public void forEachCompute(BiConsumer<Integer, Tensor> copy) {
    computeValues.forEach(copy);
  }

  /**
   * Adds {@code dParameter}, of the parameter's shape and any dtype, to its gradient. With several
   * ranks whoever adds to a bucket calls {@link #reduce} before a third one is added to.
   */
  public void accumulate(String name, Tensor dParameter) {
    try (TensorScope scope = new TensorScope()) {
      gradients.add(layout.bucket(name), layout.offsetInBucket(name), dParameter.flatten());
    }
  }

  /**
   * The gradient of a whole bucket with its padding, {@code [n]} fp32, for who adds to it on the
   * current stream himself; with several ranks until {@link #reduce}, which has to follow.
   */
  public Tensor gradient(int bucket) {
    return gradients.gradient(bucket);
  }

  /** Begins a step: no gradient. */
  public void zeroGradient() {
    gradients.zero();
  }

  /**
   * Sums what was added to bucket {@code bucket} since the last time over the ranks, into the
   * gradients of their parts, at once or later as {@link Summed} says; on a GPU beside what the
   * current stream does next. Ranks call it in the same order. A rank on its own has nothing to do.
   */
  public void reduce(int bucket) {
    gradients.reduce(bucket);
  }

  /**
   * Makes the current stream wait for all reductions, those that were put off included; every
   * bucket that was added to has one.
   */
  public void awaitReductions() {
    gradients.await();
  }

  /** Makes what the model computes with follow the fp32 values. */
  public void publish() {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      computeValues.own().copy_(master);
    }
    gatherCompute();
  }

  /** What models compute with is {@link #ownCompute} of all ranks from here on. */
  void gatherCompute() {
    computeValues.changed();
  }

  /**
   * Makes the current stream, which is not the one that models compute on, wait until all that is
   * being gathered or handed on is.
   */
  public void awaitComputeBeside() {
    computeValues.awaitBeside();
  }

  /**
   * Writes {@code values}, of the parameter's shape, into the fp32 values where they are its own.
   */
  public void assign(String name, Tensor values) {
    assign(name, 0, values);
  }

  /**
   * The same of a part of the parameter.
   *
   * @param first the first of its elements that {@code values} hold, counted through its rows
   */
  public void assign(String name, long first, Tensor values) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      int bucket = layout.bucket(name);
      Tensor flat = values.reshape(values.numel());
      Tensor own = ownMaster(bucket);
      long start = world.rank() * own.numel();
      long at = layout.offsetInBucket(name) + first;
      long from = Math.max(start, at);
      long to = Math.min(start + own.numel(), at + flat.numel());
      if (from < to) {
        own.narrow(0, from - start, to - from).copy_(flat.narrow(0, from - at, to - from));
      }
    }
  }

  /**
   * The fp32 values of a whole bucket, gathered from all ranks into the current tensor scope. Every
   * rank calls it.
   */
  public Tensor gatherMaster(int bucket) {
    Tensor own = ownMaster(bucket);
    return isExchanged(bucket) ? world.allGather(own) : own;
  }

  /**
   * What parameters and AdamW's two moments take of a rank's memory, in bytes.
   *
   * @param master this rank's parts in fp32
   * @param gradient this rank's parts in fp32
   * @param summing whole buckets' gradients in fp32 while they are written and summed over the
   *     ranks; none of one rank
   * @param compute in the compute dtype: all, or two whole buckets where they are gathered by
   *     bucket; with more ranks than one also this rank's parts; none where one rank computes with
   *     the fp32 values
   * @param moments both, of this rank's parts in fp32
   */
  public record Holdings(long master, long gradient, long summing, long compute, long moments) {
    /** Of all of them. */
    public long total() {
      return master + gradient + summing + compute + moments;
    }
  }

  /**
   * What {@link #Parameters} would take with an optimizer, without taking it.
   *
   * @param buckets the parameters of every bucket in their order
   */
  public static Holdings holdings(
      List<List<Shape>> buckets,
      DType computeDtype,
      int worldSize,
      Gathered gathered,
      Summed summed) {
    boolean alone = worldSize == 1;
    BucketParts parts = new ParameterLayout(buckets, worldSize).parts();
    long own = parts.total();
    long compute =
        gathered == Gathered.BY_BUCKET && !alone
            ? GatheredValues.bytes(parts, computeDtype.bytes())
            : WholeValues.bytes(parts, computeDtype.bytes());
    return new Holdings(
        own * Float.BYTES,
        own * Float.BYTES,
        BucketGradients.wholeBytes(parts, summed),
        alone && computeDtype == DType.FP32 ? 0 : compute,
        2 * own * Float.BYTES);
  }

  /**
   * What {@link #exchangeByCopies} would take, in bytes: the other ranks' parts of a bucket's
   * gradient.
   *
   * @param buckets the parameters of every bucket in their order
   */
  public static long stagedBytes(List<List<Shape>> buckets, int worldSize) {
    BucketParts parts = new ParameterLayout(buckets, worldSize).parts();
    return CopiedCollectives.stagedBytes(worldSize, largestPart(parts));
  }

  @Override
  public void close() {
    try (exchange;
        computeValues;
        gradients) {
      // what goes on in the exchange is waited for first
    }
  }

  /** A bucket may be empty: a layer without an adapter. */
  private boolean isExchanged(int bucket) {
    return world.worldSize() > 1 && layout.parts().part(bucket) > 0;
  }

  private Tensor ownMaster(int bucket) {
    BucketParts parts = layout.parts();
    return master.narrow(0, parts.offset(bucket), parts.part(bucket));
  }
}
