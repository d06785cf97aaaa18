package dev.anneal.training.optim;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.function.BiConsumer;
import org.bytedeco.pytorch.Tensor;

/** All values on every rank, gathered once when they have changed. */
final class WholeValues implements ComputeValues {
  private final BucketParts parts;
  private final BucketExchange exchange;
  private final Tensor all;
  private final Tensor own;

  /** The last gather of every bucket. */
  private final CudaEvent[] gathered;

  private final boolean[] underWay;

  /**
   * Zeroed, in the current tensor scope.
   *
   * @param master what a rank on its own computes with if {@code type} is fp32
   */
  WholeValues(
      BucketParts parts, BucketExchange exchange, Device device, DType type, Tensor master) {
    this.parts = parts;
    this.exchange = exchange;
    boolean alone = parts.worldSize() == 1;
    long total = parts.worldSize() * parts.total();
    all = alone && type == DType.FP32 ? master : Tensors.zeros(device, type.scalarType(), total);
    own = alone ? all : exchange.shared(type, parts.total()).zero_();
    gathered = new CudaEvent[parts.numels().size()];
    underWay = new boolean[gathered.length];
    for (int bucket = 0; bucket < gathered.length; bucket++) {
      gathered[bucket] = new CudaEvent(device);
    }
  }

  /** What the values take, in bytes. */
  static long bytes(BucketParts parts, int elementBytes) {
    boolean alone = parts.worldSize() == 1;
    return (parts.worldSize() + (alone ? 0 : 1)) * parts.total() * elementBytes;
  }

  @Override
  public Tensor own() {
    return own;
  }

  @Override
  public void changed() {
    if (parts.worldSize() == 1) {
      return;
    }
    try (TensorScope scope = new TensorScope()) {
      for (int bucket = 0; bucket < gathered.length; bucket++) {
        if (parts.whole(bucket) > 0) {
          Tensor whole = bucket(0, bucket);
          Tensor part = own.narrow(0, parts.offset(bucket), parts.part(bucket));
          exchange.beside(gathered[bucket], () -> exchange.allGatherInto(whole, part));
          underWay[bucket] = true;
        }
      }
    }
  }

  @Override
  public int places() {
    return 1;
  }

  @Override
  public Tensor bucket(int place, int bucket) {
    return all.narrow(0, parts.worldSize() * parts.offset(bucket), parts.whole(bucket));
  }

  @Override
  public int use(int bucket, int next) {
    if (underWay[bucket]) {
      gathered[bucket].await();
      underWay[bucket] = false;
    }
    return 0;
  }

  @Override
  public boolean areTogether() {
    return true;
  }

  @Override
  public Tensor all() {
    for (int bucket = 0; bucket < gathered.length; bucket++) {
      use(bucket, NONE);
    }
    return all;
  }

  @Override
  public void forEach(BiConsumer<Integer, Tensor> copy) {
    throw new IllegalStateException("all values are together already");
  }

  @Override
  public void awaitBeside() {
    for (CudaEvent each : gathered) {
      each.await();
    }
  }

  @Override
  public void close() {
    for (CudaEvent each : gathered) {
      each.close();
    }
  }
}
