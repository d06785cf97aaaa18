package dev.anneal.spark.train;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.NcclCollectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.trainer.Ranks;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/** The groups that one rank has joined, and its connection to the store at which they met. */
final class RankGroups implements AutoCloseable {
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private final AnnealConfig config;
  private final int rank;
  private final RankThreads threads;
  private Ranks ranks;

  private RankGroups(AnnealConfig config, int rank, RankThreads threads) {
    this.config = config;
    this.rank = rank;
    this.threads = threads;
  }

  /**
   * Joins the groups of {@code rank}; returns when its peers have.
   *
   * @param device its own, which is the current one of this thread
   * @param localHost its host as its peers reach it
   */
  static RankGroups join(
      AnnealConfig config,
      int rank,
      Device device,
      String localHost,
      Rendezvous rendezvous,
      RankThreads threads) {
    RankGroups groups = new RankGroups(config, rank, threads);
    try {
      groups.ranks = groups.join(device, localHost, rendezvous);
      return groups;
    } catch (Throwable e) {
      // told of before the peers notice that this rank leaves
      threads.failed(rank, e);
      groups.close();
      throw e;
    }
  }

  Ranks ranks() {
    return ranks;
  }

  /** Throws what has ended one of the groups, if anything has. */
  void check() {
    ranks.world().check();
    ranks.shard().check();
  }

  private Ranks join(Device device, String localHost, Rendezvous rendezvous) {
    int worldSize = config.worldSize();
    if (worldSize == 1) {
      return new Ranks(device, new SingleRank(), new SingleRank());
    }
    Duration timeout = rendezvous.timeout();
    RendezvousStore store = opened(rendezvous.store(rank));
    if (!device.isGpu()) {
      return Ranks.onCpu(joined(GlooCollectives.join(store, localHost, rank, worldSize, timeout)));
    }
    Collectives world = joined(nccl(store, "the world", device, rank, worldSize, timeout));
    int local = config.cluster().gpusPerNode();
    // a communicator of its own, because it works beside the world's
    Collectives shard =
        switch (config.baseWeights().shard()) {
          case NONE -> new SingleRank();
          case NODE ->
              joined(nccl(store, "node " + rank / local, device, rank % local, local, timeout));
          case WORLD -> joined(nccl(store, "all shards", device, rank, worldSize, timeout));
        };
    return new Ranks(device, world, shard);
  }

  private static Collectives nccl(
      RendezvousStore store, String name, Device device, int rank, int size, Duration timeout) {
    return size == 1
        ? new SingleRank()
        : NcclCollectives.join(store, name, device, rank, size, timeout);
  }

  private Collectives joined(Collectives group) {
    return opened(threads.joined(group));
  }

  private <T extends AutoCloseable> T opened(T resource) {
    open.push(resource);
    return resource;
  }

  @Override
  public void close() {
    RuntimeException first = null;
    while (!open.isEmpty()) {
      try {
        open.pop().close();
      } catch (Exception e) {
        first = first == null ? new IllegalStateException(e) : first;
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
