package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.TimedCollectives;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.timing.Timings;

/**
 * Where a rank computes and whom with.
 *
 * @param device the rank's own device; the current thread has it set
 * @param world all ranks of the run
 * @param shard the ranks that frozen weights are split over if they are, this one among them; on
 *     GPUs a communicator of its own, because it works beside {@code world}
 * @param mapped counts what is taken of the device beside libtorch
 */
public record Ranks(Device device, Collectives world, Collectives shard, MappedMemory mapped) {
  /** Of whose device nothing is taken yet. */
  public Ranks(Device device, Collectives world, Collectives shard) {
    this(device, world, shard, new MappedMemory());
  }

  /** A rank on the host; frozen weights, if they are split, are split over all ranks. */
  public static Ranks onCpu(Collectives world) {
    return new Ranks(Device.CPU, world, world);
  }

  /** The same groups, whose calls {@code timings} takes down. */
  Ranks timedBy(Timings timings) {
    return new Ranks(
        device, new TimedCollectives(world, timings), new TimedCollectives(shard, timings), mapped);
  }

  int rank() {
    return world.rank();
  }

  /** Throws what has ended a group of this rank, if anything has: see {@link Collectives#check}. */
  void check() {
    world.check();
    shard.check();
  }
}
