package dev.anneal.training.trainer;

import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.activations.KeptActivations.Inputs;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.trainer.MemoryTable.Rank;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.FrozenVocabulary;
import java.util.ArrayList;
import java.util.List;

/**
 * What an optimizer step moves to and from a GPU, in bytes. Ranks of a node are at {@code
 * gpusOfNode} of {@code rank.worldSize()}.
 *
 * @param rows by what is moved
 */
public record TrafficTable(List<Row> rows) {
  /** Layers that lie in the buffers already where a pass turns round. */
  private static final int IN_BUFFERS = 2;

  /**
   * What moves for one reason.
   *
   * @param toGpu over PCIe from page-locked memory of the host
   * @param toHost over PCIe to it
   * @param fromPeers received over NVLink from GPUs of the node
   * @param fromNodes this GPU's part of what its node receives from others
   */
  public record Row(String name, long toGpu, long toHost, long fromPeers, long fromNodes) {
    private boolean isNothing() {
      return toGpu == 0 && toHost == 0 && fromPeers == 0 && fromNodes == 0;
    }
  }

  public TrafficTable {
    rows = List.copyOf(rows);
  }

  /** Of a step of {@code microBatches} micro-batches. */
  public static TrafficTable of(Rank rank, BatchShape batch, int microBatches, int gpusOfNode) {
    List<Row> rows = new ArrayList<>();
    if (rank.spec().mode() == TrainingSpec.Mode.LORA) {
      rows.addAll(frozen(rank, microBatches, gpusOfNode));
    }
    KeptActivations activations = rank.spec().compute().activations();
    if (activations.inputs() == Inputs.ON_HOST) {
      long layers = activations.recomputed(rank.config().numHiddenLayers());
      long bytes =
          layers
              * batch.tokens()
              * rank.config().hiddenSize()
              * rank.spec().compute().dtype().bytes()
              * microBatches;
      rows.add(new Row("inputs of layers computed again", bytes, bytes, 0, 0));
    }
    int copied = activations.copied(rank.config().numHiddenLayers());
    if (copied > 0) {
      long bytes = copied * MemoryTable.layerBytes(rank, batch) * microBatches;
      rows.add(new Row("layers that wait on the host", bytes, bytes, 0, 0));
    }
    Parameters.Holdings trained = trained(rank);
    // the gradient of every micro-batch is summed
    rows.add(exchanged("gradient, summed", microBatches * trained.master(), rank, gpusOfNode));
    long values = trained.master() / Float.BYTES * rank.spec().compute().dtype().bytes();
    if (MemoryTable.gathered(rank) == Parameters.Gathered.BY_BUCKET) {
      long layers = rank.config().numHiddenLayers();
      // none of them lies in its place when they are new
      long gathers = fetches(layers, microBatches) + IN_BUFFERS;
      rows.add(
          exchanged("values of layers, gathered", values / layers * gathers, rank, gpusOfNode));
    } else {
      rows.add(exchanged("new values, gathered", values, rank, gpusOfNode));
    }
    rows.removeIf(Row::isNothing);
    return new TrafficTable(rows);
  }

  private static List<Row> frozen(Rank rank, int microBatches, int gpusOfNode) {
    TrainingSpec.Weights weights = rank.spec().weights();
    FrozenLayers.Holdings held =
        FrozenLayers.holdings(
            rank.config(),
            weights.dtype(),
            rank.spec().compute().dtype(),
            rank.shardSize(),
            weights.offloadRatio(),
            weights.exactEdges());
    long layers = rank.config().numHiddenLayers();
    long fetches = fetches(layers, microBatches);
    long toGpu = held.pinnedBytes() / layers * fetches;
    long share = (held.pinnedBytes() + held.deviceBytes()) / layers;
    FrozenVocabulary.Holdings vocabulary =
        FrozenVocabulary.holdings(rank.config(), rank.spec().compute().dtype(), rank.shardSize());
    // each once, whether they are one matrix or two; of the embedding rows alone may come
    long rows = 2 * vocabulary.gathered() / rank.shardSize() * microBatches;
    return List.of(
        gathered("frozen layers", toGpu, share * fetches, rank, gpusOfNode),
        gathered("embedding and head", 0, rows, rank, gpusOfNode));
  }

  /** Forward and backward; a layer computed again is there for its backward. */
  private static long fetches(long layers, int microBatches) {
    return Math.max(0, 2 * (layers - IN_BUFFERS)) * microBatches;
  }

  /** Of ranks that share frozen weights, of which each has {@code partBytes}. */
  private static Row gathered(String name, long toGpu, long partBytes, Rank rank, int gpusOfNode) {
    long local = Math.min(rank.shardSize(), gpusOfNode);
    // a node receives what it does not hold once, and its GPUs pass it on to each other
    long fromNodes = (rank.shardSize() - local) * partBytes / local;
    return new Row(name, toGpu, 0, (rank.shardSize() - 1) * partBytes - fromNodes, fromNodes);
  }

  /** Each rank sends and receives all of it but its own part; in a ring of all ranks. */
  private static Row exchanged(String name, long ownBytes, Rank rank, int gpusOfNode) {
    long others = (rank.worldSize() - 1) * ownBytes;
    boolean nodes = rank.worldSize() > gpusOfNode;
    // one link of a node's ring comes from another node
    long fromNodes = nodes ? others / gpusOfNode : 0;
    return new Row(name, 0, 0, gpusOfNode > 1 ? others - fromNodes : 0, fromNodes);
  }

  private static Parameters.Holdings trained(Rank rank) {
    LoraLayout adapters =
        rank.spec().mode() == TrainingSpec.Mode.FULL
            ? null
            : LoraLayout.of(rank.spec().lora(), rank.config());
    return MemoryTable.trained(rank, adapters);
  }

  /** The sum of all rows. */
  public Row all() {
    return rows.stream()
        .reduce(
            new Row("all", 0, 0, 0, 0),
            (a, b) ->
                new Row(
                    "all",
                    a.toGpu() + b.toGpu(),
                    a.toHost() + b.toHost(),
                    a.fromPeers() + b.fromPeers(),
                    a.fromNodes() + b.fromNodes()));
  }
}
