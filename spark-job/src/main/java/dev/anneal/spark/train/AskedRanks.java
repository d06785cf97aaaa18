package dev.anneal.spark.train;

import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.trainer.Ranks;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.spark.BarrierTaskContext;

/**
 * The ranks of a barrier task that asks a model: those that hold whole weights need nobody, and
 * where weights are split all of them are together.
 */
final class AskedRanks {
  private final AnnealConfig config;
  private final boolean split;
  private final BarrierTaskContext context = BarrierTaskContext.get();
  private final AtomicBoolean failed = new AtomicBoolean();

  /** What one rank does, which fails by throwing. */
  interface Work {
    /**
     * Does it.
     *
     * @param rank its number in the run, also where {@code ranks} is this one alone
     */
    void run(int rank, Ranks ranks) throws IOException;
  }

  /** In a task of the stage. */
  AskedRanks(AnnealConfig config, boolean split) {
    this.config = config;
    this.split = split;
  }

  /** Whether all are to leave: one has failed, or the task is to end. */
  boolean areLeaving() {
    return failed.get() || context.isInterrupted();
  }

  /** Runs this node's ranks; returns when all are done. */
  void run(Work work) {
    int gpus = config.cluster().gpusPerNode();
    int count = config.worldSize() / config.cluster().nodes();
    int firstRank = context.partitionId() * count;
    String host = BarrierStage.host(context);
    RankThreads threads =
        new RankThreads(
            context::isInterrupted, (rank, failure) -> failed.set(true), RankThreads.GRACE);
    try {
      List<Gpu> seen = gpus == 0 ? List.of() : Gpus.require(gpus);
      Duration timeout = Duration.ofSeconds(config.cluster().timeout());
      Rendezvous rendezvous = Rendezvous.hold(context, split ? config.worldSize() : 1, timeout);
      List<RankPlace> places = RankPlace.of(context, rendezvous, gpus, seen);
      threads.run(
          firstRank,
          count,
          (rank, group) -> {
            Device device = places.get(rank - firstRank).device();
            if (device.isGpu()) {
              Gpus.bind(device);
            }
            if (!split) {
              work.run(rank, new Ranks(device, new SingleRank(), new SingleRank()));
              return;
            }
            try (RankGroups groups =
                RankGroups.join(config, rank, device, host, rendezvous, group)) {
              together(rank, groups, group, work);
            }
          });
    } catch (Throwable e) {
      throw threads.ended(e);
    }
  }

  private static void together(int rank, RankGroups groups, RankThreads threads, Work work)
      throws IOException {
    try {
      work.run(rank, groups.ranks());
    } catch (Throwable e) {
      // before this rank leaves its peers, so that the cause comes first
      threads.failed(rank, e);
      throw e;
    }
  }
}
