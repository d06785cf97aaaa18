package dev.anneal.training.model;

/** Brings the frozen decoder layers together one after the other, from wherever they lie. */
public interface FrozenLayers {
  /** For {@code next}: no layer is known to follow. */
  int NONE = -1;

  /**
   * Layer {@code layer}, for work that is enqueued on the current stream before the next call;
   * layer {@code next} is brought meanwhile. On sharded weights this is a collective: every rank of
   * the shard group makes the same calls in the same order.
   */
  FrozenLayer use(int layer, int next);
}
