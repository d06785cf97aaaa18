package dev.anneal.training.collective;

import org.bytedeco.pytorch.Tensor;

/** Ranks of a test that share what they hold and sum nothing. */
public interface GatheringOnly extends Collectives {
  @Override
  default Tensor allGather(Tensor shard) {
    throw new UnsupportedOperationException();
  }

  @Override
  default void allReduceSum(Tensor tensor) {
    throw new UnsupportedOperationException();
  }

  @Override
  default void reduceScatterSum(Tensor shard, Tensor whole) {
    throw new UnsupportedOperationException();
  }

  @Override
  default void abort() {}

  @Override
  default void barrier() {}

  @Override
  default void close() {}
}
