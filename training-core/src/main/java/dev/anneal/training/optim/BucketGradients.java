package dev.anneal.training.optim;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.optim.Parameters.Summed;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The gradient of this rank's parts of all buckets. With several ranks a bucket's whole gradient
 * exists from when it is first written until it is summed over the ranks, in one of two places that
 * buckets use in turn or, where sums are put off, in one of its own. All of it is fp32.
 */
final class BucketGradients implements AutoCloseable {
  /** Whole gradients that exist at a time in shared places: one is written, one is summed. */
  static final int WHOLE = 2;

  private static final int NONE = -1;

  /** Where a bucket's gradient is whole, {@code [n]} of the largest bucket, or of its own. */
  private static final class Place {
    final Tensor memory;

    /** The last sum of what was here is taken. */
    final CudaEvent summed;

    /** What is being written here. */
    int bucket = NONE;

    Place(Tensor memory, Device device) {
      this.memory = memory;
      summed = new CudaEvent(device);
    }
  }

  private final BucketParts parts;
  private final BucketExchange exchange;
  private final Tensor own;
  private final List<Place> places = new ArrayList<>();

  /** Places that buckets share and nothing is written to, the one summed first at the head. */
  private final Deque<Place> free = new ArrayDeque<>();

  private final Summed summed;

  /** Buckets whose sums are put off, in the order in which they are to be summed. */
  private final Set<Integer> putOff = new LinkedHashSet<>();

  /** Whether {@link #own} has a sum of the bucket already. */
  private final boolean[] begun;

  /** Zeroed, in the current tensor scope. */
  BucketGradients(BucketParts parts, BucketExchange exchange, Device device, Summed summed) {
    this.parts = parts;
    this.exchange = exchange;
    this.summed = summed;
    own = Tensors.zeros(device, ScalarType.Float, parts.total());
    begun = new boolean[parts.numels().size()];
    for (long numel : placeNumels(parts, summed)) {
      places.add(new Place(exchange.shared(DType.FP32, numel), device));
    }
    if (summed == Summed.BY_BUCKET) {
      free.addAll(places);
    }
  }

  /** Elements of every place. */
  private static List<Long> placeNumels(BucketParts parts, Summed summed) {
    if (parts.worldSize() == 1) {
      return List.of();
    }
    return switch (summed) {
      case BY_BUCKET -> Collections.nCopies(WHOLE, parts.largest());
      case BY_MICRO_BATCH ->
          IntStream.range(0, parts.numels().size()).mapToObj(parts::whole).toList();
    };
  }

  /** What all places take, in bytes. */
  static long wholeBytes(BucketParts parts, Summed summed) {
    return placeNumels(parts, summed).stream().mapToLong(numel -> numel * Float.BYTES).sum();
  }

  /** {@code [n]} of this rank's parts of all buckets. */
  Tensor own() {
    return own;
  }

  /**
   * Adds to a part of a bucket's gradient.
   *
   * @param offset of its first element
   * @param values {@code [n]} of any dtype
   */
  void add(int bucket, long offset, Tensor values) {
    if (values.numel() == 0) {
      // a layer without adapters takes no place, which nobody would free
      return;
    }
    try (TensorScope scope = new TensorScope()) {
      long numel = values.numel();
      boolean fills = offset == 0 && numel == parts.whole(bucket);
      if (fills && !isAlone() && placeOf(bucket) == null) {
        // no zeros are needed under what fills it
        open(bucket).memory.narrow(0, 0, numel).copy_(values);
      } else {
        gradient(bucket).narrow(0, offset, numel).add_(values);
      }
    }
  }

  /** The bucket's gradient for who adds to it; with several ranks what was added since its sum. */
  Tensor gradient(int bucket) {
    if (isAlone() || parts.whole(bucket) == 0) {
      // an empty one takes no place, which nobody would free
      return own(bucket);
    }
    Place place = placeOf(bucket);
    boolean isNew = place == null;
    Tensor memory = isNew ? open(bucket).memory : place.memory;
    Tensor gradient = memory.narrow(0, 0, parts.whole(bucket));
    return isNew ? gradient.zero_() : gradient;
  }

  /** Where the bucket is being written; {@code null}: nowhere. */
  private Place placeOf(int bucket) {
    for (Place place : places) {
      if (place.bucket == bucket) {
        return place;
      }
    }
    return null;
  }

  /** A place for the bucket, not initialized. */
  private Place open(int bucket) {
    if (putOff.contains(bucket)) {
      // the next micro-batch has begun
      sumPutOff();
    }
    Place place = summed == Summed.BY_BUCKET ? free.poll() : places.get(bucket);
    if (place == null) {
      throw new IllegalStateException(
          "bucket %s is written before buckets %s are summed over the ranks: reduce one of them first"
              .formatted(bucket, places.stream().map(other -> other.bucket).toList()));
    }
    // on a GPU the last bucket here may still be read by the exchange
    place.summed.await();
    place.bucket = bucket;
    return place;
  }

  /**
   * Adds the sum over the ranks of what was added to the bucket since the last time to this rank's
   * part of it, on a GPU beside what the current stream does next; or later, where sums are put
   * off: when the bucket is written again, or waited for. A rank that added nothing takes part with
   * zeros.
   */
  void reduce(int bucket) {
    if (isAlone() || parts.whole(bucket) == 0) {
      return;
    }
    try (TensorScope scope = new TensorScope()) {
      Tensor whole = gradient(bucket);
      Place place = placeOf(bucket);
      place.bucket = NONE;
      if (summed == Summed.BY_MICRO_BATCH) {
        putOff.add(bucket);
        return;
      }
      exchange.beside(place.summed, () -> sum(bucket, whole));
      free.add(place);
    }
  }

  private void sumPutOff() {
    try (TensorScope scope = new TensorScope()) {
      for (int bucket : putOff) {
        Place place = places.get(bucket);
        Tensor whole = place.memory.narrow(0, 0, parts.whole(bucket));
        exchange.beside(place.summed, () -> sum(bucket, whole));
      }
    }
    putOff.clear();
  }

  private void sum(int bucket, Tensor whole) {
    if (!begun[bucket]) {
      exchange.reduceScatterSum(own(bucket), whole);
    } else {
      long part = parts.part(bucket);
      Tensor mine = whole.narrow(0, exchange.rank() * part, part);
      exchange.reduceScatterSum(mine, whole);
      own(bucket).add_(mine);
    }
    begun[bucket] = true;
  }

  /** Makes the current stream wait for all sums. */
  void await() {
    for (Place place : places) {
      if (place.bucket != NONE) {
        throw new IllegalStateException(
            "the gradient of bucket %s was not summed over the ranks".formatted(place.bucket));
      }
    }
    sumPutOff();
    places.forEach(place -> place.summed.await());
  }

  /** No gradient; what was not summed is forgotten. */
  void zero() {
    putOff.clear();
    free.clear();
    for (Place place : places) {
      place.summed.await();
      place.bucket = NONE;
      if (summed == Summed.BY_BUCKET) {
        free.add(place);
      }
    }
    Arrays.fill(begun, false);
    own.zero_();
  }

  private Tensor own(int bucket) {
    return own.narrow(0, parts.offset(bucket), parts.part(bucket));
  }

  private boolean isAlone() {
    return parts.worldSize() == 1;
  }

  /** The current stream may write where the gradients were. */
  @Override
  public void close() {
    for (Place place : places) {
      place.summed.await();
      place.summed.close();
    }
  }
}
