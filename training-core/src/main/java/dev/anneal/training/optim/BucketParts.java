package dev.anneal.training.optim;

import java.util.List;

/**
 * How buckets are cut into equal parts, one a rank. A rank's vector is its parts of all buckets end
 * to end. Where an element lies in its bucket does not depend on the number of ranks, only the
 * padding at the bucket's end does.
 *
 * @param numels elements of every bucket without padding
 */
public record BucketParts(List<Long> numels, int worldSize) {
  /** Keeps every rank's part of a bucket on a 16-byte boundary in every dtype. */
  private static final long ALIGNMENT = 8;

  public BucketParts {
    numels = List.copyOf(numels);
  }

  /** Elements of a rank's part of {@code bucket}; that of rank {@code r} begins at r times that. */
  public long part(int bucket) {
    long unit = worldSize == 1 ? 1 : worldSize * ALIGNMENT;
    return (numels.get(bucket) + unit - 1) / unit * (unit / worldSize);
  }

  /** Elements of {@code bucket} with its padding: the parts of all ranks. */
  public long whole(int bucket) {
    return worldSize * part(bucket);
  }

  /** {@link #whole} of the largest bucket. */
  public long largest() {
    long largest = 0;
    for (int i = 0; i < numels.size(); i++) {
      largest = Math.max(largest, whole(i));
    }
    return largest;
  }

  /** Where the part of {@code bucket} begins in a rank's vector. */
  public long offset(int bucket) {
    long offset = 0;
    for (int i = 0; i < bucket; i++) {
      offset += part(i);
    }
    return offset;
  }

  /** Elements of a rank's vector. */
  public long total() {
    return offset(numels.size());
  }
}
