package dev.anneal.training.generate;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;

/** What rank 0 alone decides, on every rank; all ranks make the same calls. */
public final class RankZero {
  private final Collectives world;
  private final Runnable check;

  /**
   * Among the ranks of a group.
   *
   * @param check throws what has ended a group of this rank, if anything has; see {@link
   *     Collectives#check}
   */
  public RankZero(Collectives world, Runnable check) {
    this.world = world;
    this.check = check;
  }

  /** Whether this is the rank that decides. */
  public boolean isHere() {
    return world.rank() == 0;
  }

  /**
   * What rank 0 has in the place of {@code numbers}.
   *
   * @param numbers as many on every rank
   * @param there a tensor of the device that ranks talk from
   */
  long[] same(long[] numbers, Tensor there) {
    if (world.worldSize() == 1) {
      return numbers;
    }
    try (TensorScope scope = new TensorScope()) {
      Tensor all = world.allGather(Tensors.like(there, Tensors.of(numbers)));
      long[] first = Tensors.longs(all.narrow(0, 0, numbers.length).cpu());
      check.run();
      return first;
    }
  }

  /**
   * What rank 0 has in the place of {@code numbers}, however many these are.
   *
   * @param there a tensor of the device that ranks talk from
   */
  public long[] any(long[] numbers, Tensor there) {
    int count = (int) same(new long[] {numbers.length}, there)[0];
    return count == 0 ? new long[0] : same(Arrays.copyOf(numbers, count), there);
  }
}
