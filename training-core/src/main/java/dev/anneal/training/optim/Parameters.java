package dev.anneal.training.optim;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * All trained weights as flat vectors, so that a reduction, a norm or an optimizer step is a
 * handful of calls whatever the model. The vectors are cut into buckets (a layer's parameters
 * each), and every bucket into as many equal parts as there are ranks: a rank keeps the fp32 values
 * of its own parts only (Rajbhandari et al. 2020, <a
 * href="https://arxiv.org/abs/1910.02054">ZeRO</a>, stage 1), while gradients and the values that
 * models compute with are whole on every rank.
 */
public final class Parameters implements AutoCloseable {
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

  private record Slot(int bucket, long offset, Shape shape) {}

  private record Bucket(long offset, long numel) {}

  private final List<List<Shape>> layout;
  private final BucketParts parts;
  private final Map<String, Slot> slots = new LinkedHashMap<>();
  private final List<Bucket> buckets = new ArrayList<>();
  private final Collectives world;
  private final BucketExchange exchange;
  private final Tensor master;
  private final Tensor gradient;
  private final Tensor ownGradient;
  private final Tensor compute;
  private final Tensor ownCompute;

  /**
   * Zeroed parameters in the current tensor scope.
   *
   * @param buckets the parameters of every bucket in their order
   */
  public Parameters(
      List<List<Shape>> buckets, DType computeDtype, Device device, Collectives world) {
    this.world = world;
    this.exchange = new BucketExchange(device, buckets.size());
    this.layout = buckets.stream().map(List::copyOf).toList();
    this.parts = parts(layout, world.worldSize());
    long ranks = world.worldSize();
    long total = 0;
    for (List<Shape> shapes : buckets) {
      long offset = total;
      for (Shape shape : shapes) {
        slots.put(shape.name(), new Slot(this.buckets.size(), offset, shape));
        offset += shape.numel();
      }
      long numel = ranks * parts.part(this.buckets.size());
      this.buckets.add(new Bucket(total, numel));
      total += numel;
    }
    ScalarType type = computeDtype.scalarType();
    boolean alone = ranks == 1;
    master = Tensors.zeros(device, ScalarType.Float, total / ranks);
    gradient = Tensors.zeros(device, ScalarType.Float, total);
    ownGradient = alone ? gradient : Tensors.zeros(device, ScalarType.Float, total / ranks);
    // one rank computes with the fp32 values themselves
    compute = alone && type == ScalarType.Float ? master : Tensors.zeros(device, type, total);
    ownCompute = alone ? compute : Tensors.zeros(device, type, total / ranks);
  }

  private static BucketParts parts(List<List<Shape>> layout, int worldSize) {
    return new BucketParts(
        layout.stream().map(shapes -> shapes.stream().mapToLong(Shape::numel).sum()).toList(),
        worldSize);
  }

  /** The parameters of every bucket in their order. */
  public List<List<Shape>> layout() {
    return layout;
  }

  /** How the buckets are cut for the ranks. */
  public BucketParts parts() {
    return parts;
  }

  /** Whose parts are here. */
  int rank() {
    return world.rank();
  }

  /** The fp32 values of this rank's parts, {@code [n]}. */
  public Tensor master() {
    return master;
  }

  /** The gradient of this rank's parts, summed over the ranks once all buckets are reduced. */
  public Tensor ownGradient() {
    return ownGradient;
  }

  /** Where an optimizer leaves {@link #master} in the compute dtype. */
  Tensor ownCompute() {
    return ownCompute;
  }

  /** Names in the order of the flat vector. */
  public List<String> names() {
    return new ArrayList<>(slots.keySet());
  }

  /** Shape of the parameter {@code name}. */
  public long[] shape(String name) {
    return slots.get(name).shape().dims();
  }

  /**
   * The values that models compute with, {@code [n]} of all buckets with their padding, which are
   * there for what the current stream does next.
   */
  public Tensor compute() {
    exchange.awaitAll();
    return compute;
  }

  /** Where {@code name} begins in {@link #compute()}. */
  public long offset(String name) {
    return slots.get(name).offset();
  }

  /**
   * The values of {@code name} in the compute dtype, in its shape, which are there for what the
   * current stream does next. Whoever keeps the view calls {@link #awaitCompute} before each use.
   */
  public Tensor compute(String name) {
    exchange.await(bucket(name));
    return view(compute, name);
  }

  /** The gradient that this rank has accumulated so far, {@code [n]} fp32 of all buckets. */
  public Tensor gradient() {
    return gradient;
  }

  /** The gradient of a whole bucket, {@code [n]} fp32; its padding is zero. */
  public Tensor bucketGradient(int bucket) {
    return part(gradient, buckets.get(bucket));
  }

  /** The values of a whole bucket in the compute dtype; otherwise as {@link #compute(String)}. */
  public Tensor bucketCompute(int bucket) {
    exchange.await(bucket);
    return part(compute, buckets.get(bucket));
  }

  /** Where {@code name} begins in its bucket's vector. */
  public long offsetInBucket(String name) {
    Slot slot = slots.get(name);
    return slot.offset() - buckets.get(slot.bucket()).offset();
  }

  /** The bucket that {@code name} is in. */
  public int bucket(String name) {
    return slots.get(name).bucket();
  }

  /** Adds {@code dParameter}, of the parameter's shape and any dtype, to its gradient. */
  public void accumulate(String name, Tensor dParameter) {
    view(gradient, name).add_(dParameter);
  }

  /** Begins a step: no gradient. */
  public void zeroGradient() {
    gradient.zero_();
  }

  /**
   * Sums bucket {@code bucket}, whose gradient is complete, over the ranks; on a GPU beside what
   * the current stream does next. Ranks call it in the same order.
   */
  public void reduce(int bucket) {
    if (isExchanged(bucket)) {
      exchange.beside(
          bucket,
          () ->
              world.reduceScatterSum(
                  own(ownGradient, bucket), part(gradient, buckets.get(bucket))));
    }
  }

  /** {@link #reduce} of bucket {@code first} and all after it. */
  public void reduceFrom(int first) {
    for (int bucket = first; bucket < buckets.size(); bucket++) {
      reduce(bucket);
    }
  }

  /** Makes the current stream wait for all reductions. */
  public void awaitReductions() {
    exchange.awaitAll();
  }

  /** Makes what the model computes with follow the fp32 values. */
  public void publish() {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      ownCompute.copy_(master);
    }
    gatherCompute();
  }

  /** Brings all ranks' {@link #ownCompute} together; on a GPU beside what comes next. */
  void gatherCompute() {
    for (int i = 0; i < buckets.size(); i++) {
      int bucket = i;
      if (isExchanged(bucket)) {
        exchange.beside(
            bucket,
            () -> world.allGatherInto(part(compute, buckets.get(bucket)), own(ownCompute, bucket)));
      }
    }
  }

  /**
   * Makes the current stream wait until the values of {@code bucket} are there, for views of them
   * that are kept from one step to the next.
   */
  public void awaitCompute(int bucket) {
    exchange.await(bucket);
  }

  /**
   * Makes the current stream, which is not the one that models compute on, wait until the values of
   * all buckets are there.
   */
  public void awaitComputeBeside() {
    exchange.awaitAllBeside();
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
      Slot slot = slots.get(name);
      Tensor flat = values.reshape(values.numel());
      Tensor own = own(master, slot.bucket());
      long start = buckets.get(slot.bucket()).offset() + world.rank() * own.numel();
      long at = slot.offset() + first;
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
    Tensor own = own(master, bucket);
    return isExchanged(bucket) ? world.allGather(own) : own;
  }

  /** The part of a whole bucket's vector that is {@code name}, in its shape. */
  public Tensor inBucket(Tensor bucketValues, String name) {
    Shape shape = slots.get(name).shape();
    return bucketValues.narrow(0, offsetInBucket(name), shape.numel()).view(shape.dims());
  }

  /** The fp32 values of {@code name} where this rank is the only one. */
  Tensor master(String name) {
    return view(master, name);
  }

  /**
   * What parameters and AdamW's two moments take of a rank's memory, in bytes.
   *
   * @param master this rank's parts in fp32
   * @param gradient all in fp32; with more ranks than one also the sum of this rank's parts
   * @param compute all in the compute dtype; with more ranks than one also this rank's parts; none
   *     where one rank computes with the fp32 values
   * @param moments both, of this rank's parts in fp32
   */
  public record Holdings(long master, long gradient, long compute, long moments) {
    /** Of all of them. */
    public long total() {
      return master + gradient + compute + moments;
    }
  }

  /**
   * What {@link #Parameters} would take with an optimizer, without taking it.
   *
   * @param buckets the parameters of every bucket in their order
   */
  public static Holdings holdings(List<List<Shape>> buckets, DType computeDtype, int worldSize) {
    boolean alone = worldSize == 1;
    long own = parts(buckets, worldSize).total();
    long gathered = (worldSize + (alone ? 0L : 1L)) * own;
    return new Holdings(
        own * Float.BYTES,
        gathered * Float.BYTES,
        alone && computeDtype == DType.FP32 ? 0 : gathered * computeDtype.bytes(),
        2 * own * Float.BYTES);
  }

  /** How many there are. */
  public int bucketCount() {
    return buckets.size();
  }

  @Override
  public void close() {
    exchange.close();
  }

  /** A bucket may be empty: a layer without an adapter. */
  private boolean isExchanged(int bucket) {
    return world.worldSize() > 1 && buckets.get(bucket).numel() > 0;
  }

  private Tensor own(Tensor shard, int bucket) {
    Bucket whole = buckets.get(bucket);
    int ranks = world.worldSize();
    return shard.narrow(0, whole.offset() / ranks, whole.numel() / ranks);
  }

  private static Tensor part(Tensor flat, Bucket bucket) {
    return flat.narrow(0, bucket.offset(), bucket.numel());
  }

  private Tensor view(Tensor flat, String name) {
    Slot slot = slots.get(name);
    return flat.narrow(0, slot.offset(), slot.shape().numel()).view(slot.shape().dims());
  }
}
