package dev.anneal.spark.train;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.StoreAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.SparkEnv;

/**
 * Where the ranks of a barrier stage meet: a store that the first node serves. Its address and the
 * token that it asks for go round through Spark, whose {@code spark.authenticate} and {@code
 * spark.network.crypto.enabled} decide who can read them on the way.
 *
 * @param served the store on the first node, for its rank 0, which closes it; {@code null}
 *     elsewhere and where there is one rank only
 * @param address the store's; {@code null} where there is one rank only
 * @param places for every node, what tells apart who sees other GPUs
 */
record Rendezvous(
    RendezvousStore served, StoreAddress address, List<String> places, Duration timeout) {

  private static final String NOBODY = "-";

  /** Returns when every node has come. */
  static Rendezvous hold(BarrierTaskContext context, int worldSize, Duration timeout) {
    String host = BarrierStage.host(context);
    RendezvousStore served =
        context.partitionId() == 0 && worldSize > 1 ? RendezvousStore.serve(host, timeout) : null;
    try {
      String address = served == null ? NOBODY : served.address().toText();
      String executor = SparkEnv.get().executorId();
      String visible = Objects.toString(System.getenv("CUDA_VISIBLE_DEVICES"), "all");
      List<String[]> nodes =
          Arrays.stream(context.allGather(String.join(" ", address, host, executor, visible)))
              .map(node -> node.split(" ", 4))
              .toList();
      if (NodeTask.isExecutor()) {
        requireOneExecutorEach(nodes.stream().map(node -> node[2]).toList());
      }
      return new Rendezvous(
          served,
          worldSize > 1 ? StoreAddress.parse(nodes.get(0)[0]) : null,
          nodes.stream().map(node -> node[1] + " " + node[3]).toList(),
          timeout);
    } catch (Throwable e) {
      if (served != null) {
        served.close();
      }
      throw e;
    }
  }

  /**
   * A node's task needs an executor of its own, whose memory and threads it takes for itself.
   *
   * @param executors Spark's id of every task's executor
   * @throws BadRequestException if two tasks share one
   */
  static void requireOneExecutorEach(List<String> executors) {
    for (int task = 0; task < executors.size(); task++) {
      int first = executors.indexOf(executors.get(task));
      if (first < task) {
        throw new BadRequestException(
            "Spark put nodes %s and %s into one executor (%s): set spark.executor.cores, so that a node takes all cores of an executor, and let as many executors start as cluster.nodes says."
                .formatted(first, task, executors.get(task)));
      }
    }
  }

  /** To be called where no rank comes to {@link #store}. */
  void close() {
    if (served != null) {
      served.close();
    }
  }

  /** The store as {@code rank} sees it, to be closed by it. */
  RendezvousStore store(int rank) {
    return rank == 0 ? served : RendezvousStore.connect(address, timeout);
  }
}
