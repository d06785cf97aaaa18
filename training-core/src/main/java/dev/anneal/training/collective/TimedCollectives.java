package dev.anneal.training.collective;

import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Timings;
import dev.anneal.training.timing.Timings.Span;
import org.bytedeco.pytorch.Tensor;

/** A group whose calls are taken down as exchange; a rank on its own exchanges nothing. */
public final class TimedCollectives implements Collectives {
  private final Collectives group;
  private final Timings timings;

  public TimedCollectives(Collectives group, Timings timings) {
    this.group = group;
    this.timings = timings;
  }

  /** A rank on its own. */
  public static Collectives alone(Timings timings) {
    return new TimedCollectives(new SingleRank(), timings);
  }

  @Override
  public Timings timings() {
    return timings;
  }

  @Override
  public int rank() {
    return group.rank();
  }

  @Override
  public int worldSize() {
    return group.worldSize();
  }

  @Override
  public void allReduceSum(Tensor tensor) {
    try (Span span = exchange("all_reduce")) {
      group.allReduceSum(tensor);
    }
  }

  @Override
  public Tensor allGather(Tensor shard) {
    try (Span span = exchange("all_gather")) {
      return group.allGather(shard);
    }
  }

  @Override
  public void allGatherInto(Tensor whole, Tensor shard) {
    try (Span span = exchange("all_gather")) {
      group.allGatherInto(whole, shard);
    }
  }

  @Override
  public void reduceScatterSum(Tensor shard, Tensor whole) {
    try (Span span = exchange("reduce_scatter")) {
      group.reduceScatterSum(shard, whole);
    }
  }

  @Override
  public void watched(String name, Runnable work) {
    try (Span span = exchange(name)) {
      group.watched(name, work);
    }
  }

  private Span exchange(String name) {
    return group.worldSize() == 1
        ? Timings.NOTHING
        : timings.device(Lane.EXCHANGE, name, Timings.NO_LAYER);
  }

  @Override
  public void check() {
    group.check();
  }

  @Override
  public void include(PeerWaits waits) {
    group.include(waits);
  }

  @Override
  public void exclude(PeerWaits waits) {
    group.exclude(waits);
  }

  @Override
  public void abort() {
    group.abort();
  }

  @Override
  public void barrier() {
    group.barrier();
  }

  @Override
  public void close() {
    group.close();
  }
}
