package dev.anneal.training.model;

/** Where the decoder layers' weights come from: frozen (in any storage) or trained. */
public interface DecoderWeights extends FrozenLayers, AutoCloseable {

  /**
   * The weights of layer {@code layer}, usable until the caller's innermost tensor scope closes. On
   * sharded weights this is a collective: every rank asks for the same layers in the same order.
   */
  LayerWeights layer(int layer);

  @Override
  void close();
}
