package dev.anneal.training.weights;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.peer.PeerDriver;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;

/**
 * Where and how {@link FrozenLayers} are kept.
 *
 * @param device where they are used
 * @param stored what the matrices are kept in
 * @param compute what {@link FrozenLayers#layer} and norms are in
 * @param ranks those that hold equal parts of every layer, this one among them
 * @param offloadRatio share of this rank's part of every matrix that waits in pinned memory of the
 *     host, 0 to 1; for the host as device it is ordinary memory
 * @param exactEdges layers at either end of the model that are held in the compute dtype, where
 *     {@code stored} is FP8; only of layers that lie whole on the device
 * @param transport how ranks come by each other's parts
 * @param mapped counts what is taken of the device beside libtorch
 */
public record Placement(
    Device device,
    DType stored,
    DType compute,
    Collectives ranks,
    double offloadRatio,
    int exactEdges,
    Transport transport,
    MappedMemory mapped) {

  public Placement {
    if (exactEdges > 0 && !(areWhole(ranks, offloadRatio) && stored == DType.FP8)) {
      throw new IllegalArgumentException(
          "edges can be exact of FP8 weights that lie whole on the device alone");
    }
  }

  /** Where nobody asks what is taken beside libtorch. */
  public Placement(
      Device device,
      DType stored,
      DType compute,
      Collectives ranks,
      double offloadRatio,
      Transport transport) {
    this(device, stored, compute, ranks, offloadRatio, 0, transport, new MappedMemory());
  }

  /** The same with so many layers at either end in the compute dtype. */
  public Placement withExactEdges(int edges) {
    return new Placement(device, stored, compute, ranks, offloadRatio, edges, transport, mapped);
  }

  /** The same with any transport. */
  public Placement(
      Device device, DType stored, DType compute, Collectives ranks, double offloadRatio) {
    this(device, stored, compute, ranks, offloadRatio, Transport.ANY);
  }

  /** Whether layers lie whole on the device, where they never move. */
  public boolean areWhole() {
    return areWhole(ranks, offloadRatio);
  }

  private static boolean areWhole(Collectives ranks, double offloadRatio) {
    return ranks.worldSize() == 1 && offloadRatio == 0;
  }

  /** Where a rank takes the weights that its peers read; may be a collective. */
  PeerArena arena() {
    return arena(Transport.driver(device, ranks));
  }

  /** The same by {@code driver}, which may be {@code null}. */
  PeerArena arena(PeerDriver driver) {
    return transport.arena(Transport.WEIGHTS, device, ranks, mapped, driver);
  }

  LayerLayout layout(LlamaConfig config) {
    return LayerLayout.of(config, stored, ranks.worldSize(), ranks.rank(), offloadRatio);
  }
}
