package dev.anneal.training.optim;

import dev.anneal.training.optim.Parameters.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * Where parameters lie: those of a bucket end to end, then the bucket's padding, then the next
 * bucket.
 */
public final class ParameterLayout {
  private record Slot(int bucket, long offsetInBucket, Shape shape) {}

  private final List<List<Shape>> buckets;
  private final BucketParts parts;
  private final Map<String, Slot> slots = new LinkedHashMap<>();

  /**
   * @param buckets the parameters of every bucket in their order
   */
  ParameterLayout(List<List<Shape>> buckets, int worldSize) {
    this.buckets = buckets.stream().map(List::copyOf).toList();
    this.parts =
        new BucketParts(
            buckets.stream().map(shapes -> shapes.stream().mapToLong(Shape::numel).sum()).toList(),
            worldSize);
    for (int bucket = 0; bucket < buckets.size(); bucket++) {
      long offset = 0;
      for (Shape shape : buckets.get(bucket)) {
        slots.put(shape.name(), new Slot(bucket, offset, shape));
        offset += shape.numel();
      }
    }
  }

  /** The parameters of every bucket in their order. A bucket may be empty. */
  public List<List<Shape>> buckets() {
    return buckets;
  }

  /** How the buckets are cut for the ranks. */
  public BucketParts parts() {
    return parts;
  }

  /** Names in the order of the flat vector. */
  public List<String> names() {
    return List.copyOf(slots.keySet());
  }

  /** Shape of the parameter {@code name}. */
  public long[] shape(String name) {
    return slots.get(name).shape().dims();
  }

  /** The bucket that {@code name} is in. */
  public int bucket(String name) {
    return slots.get(name).bucket();
  }

  /** Where {@code name} begins among all values with the padding of the buckets. */
  public long offset(String name) {
    Slot slot = slots.get(name);
    return parts.worldSize() * parts.offset(slot.bucket()) + slot.offsetInBucket();
  }

  /** Where {@code name} begins in its bucket's vector. */
  public long offsetInBucket(String name) {
    return slots.get(name).offsetInBucket();
  }

  /** The part of a whole bucket's vector that is {@code name}, in its shape. */
  public Tensor inBucket(Tensor bucketValues, String name) {
    Slot slot = slots.get(name);
    Shape shape = slot.shape();
    return bucketValues.narrow(0, slot.offsetInBucket(), shape.numel()).view(shape.dims());
  }
}
