package dev.anneal.training.collective;

import org.bytedeco.pytorch.Tensor;

/** A rank of a real group, through which alone it gathers. */
public interface GatheringThrough extends GatheringOnly {
  /** The group. */
  Collectives world();

  @Override
  default int rank() {
    return world().rank();
  }

  @Override
  default int worldSize() {
    return world().worldSize();
  }

  @Override
  default void allGatherInto(Tensor whole, Tensor shard) {
    world().allGatherInto(whole, shard);
  }
}
