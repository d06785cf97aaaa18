package dev.anneal.training.optim;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * This rank's parts of all values, and two places where buckets are brought together from all
 * ranks: while one is computed with, the next comes into the other on the exchange's stream. The
 * host waits for neither.
 */
final class GatheredValues implements ComputeValues {
  /** One that is computed with, and one that is written. */
  static final int PLACES = 2;

  private static final class Place {
    /** {@code [n]} of the largest bucket. */
    final Tensor memory;

    /** What was last brought here is complete, and handed on if it was to be. */
    final CudaEvent ready;

    int bucket = NONE;

    /** The stream that models compute on has yet to wait for it. */
    boolean underWay;

    Place(Device device, ScalarType type, long numel) {
      memory = Tensors.empty(device, type, numel);
      ready = new CudaEvent(device);
    }
  }

  private final BucketParts parts;
  private final BucketExchange exchange;
  private final Tensor own;
  private final List<Place> places = new ArrayList<>();

  /** The place that was used last. */
  private int current;

  /** Zeroed, in the current tensor scope. */
  GatheredValues(BucketParts parts, BucketExchange exchange, Device device, DType type) {
    this.parts = parts;
    this.exchange = exchange;
    own = exchange.shared(type, parts.total()).zero_();
    for (int i = 0; i < PLACES; i++) {
      places.add(new Place(device, type.scalarType(), parts.largest()));
    }
  }

  /** What the values take, in bytes. */
  static long bytes(BucketParts parts, int elementBytes) {
    return (parts.total() + PLACES * parts.largest()) * elementBytes;
  }

  @Override
  public Tensor own() {
    // a gather may still read them
    places.forEach(place -> place.ready.await());
    return own;
  }

  @Override
  public void changed() {
    places.forEach(place -> place.bucket = NONE);
  }

  @Override
  public int places() {
    return PLACES;
  }

  @Override
  public Tensor bucket(int place, int bucket) {
    return places.get(place).memory.narrow(0, 0, parts.whole(bucket));
  }

  @Override
  public int use(int bucket, int next) {
    if (parts.whole(bucket) > 0) {
      int place = holding(bucket);
      if (place == NONE) {
        place = other(current);
        gather(bucket, place, () -> {});
      }
      await(places.get(place));
      current = place;
    }
    if (next != NONE && parts.whole(next) > 0 && holding(next) == NONE) {
      gather(next, other(current), () -> {});
    }
    return current;
  }

  /** What the current stream was given so far may still use the place. */
  private void gather(int bucket, int place, Runnable then) {
    Place to = places.get(place);
    to.bucket = NONE;
    try (TensorScope scope = new TensorScope()) {
      Tensor whole = bucket(place, bucket);
      Tensor part = own.narrow(0, parts.offset(bucket), parts.part(bucket));
      exchange.beside(
          to.ready,
          () -> {
            exchange.allGatherInto(whole, part);
            then.run();
          });
    }
    to.bucket = bucket;
    to.underWay = true;
  }

  private static void await(Place place) {
    if (place.underWay) {
      place.ready.await();
      place.underWay = false;
    }
  }

  private int holding(int bucket) {
    for (int place = 0; place < PLACES; place++) {
      if (places.get(place).bucket == bucket) {
        return place;
      }
    }
    return NONE;
  }

  private static int other(int place) {
    return 1 - place;
  }

  @Override
  public boolean areTogether() {
    return false;
  }

  @Override
  public Tensor all() {
    throw new IllegalStateException(
        "the ranks' values are brought together bucket by bucket, never all at once");
  }

  @Override
  public void forEach(BiConsumer<Integer, Tensor> copy) {
    for (int bucket = 0; bucket < parts.numels().size(); bucket++) {
      if (parts.whole(bucket) > 0) {
        int index = bucket;
        int place = other(current);
        gather(bucket, place, () -> copy.accept(index, bucket(place, index)));
        current = place;
      }
    }
  }

  @Override
  public void awaitBeside() {
    places.forEach(place -> place.ready.await());
  }

  /** The current stream may write where the values were. */
  @Override
  public void close() {
    for (Place place : places) {
      place.ready.await();
      place.ready.close();
    }
  }
}
