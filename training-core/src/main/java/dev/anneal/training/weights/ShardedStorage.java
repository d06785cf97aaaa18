package dev.anneal.training.weights;

import dev.anneal.training.collective.Collectives;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Every rank holds {@code 1 / world_size} of each layer; a layer is gathered when it is used. */
final class ShardedStorage implements LayerStorage {
  private final Collectives collectives;
  private final List<Tensor> shards = new ArrayList<>();

  /** Reads this rank's shard of all layers into the current tensor scope. */
  ShardedStorage(FlatLayerReader reader, int numHiddenLayers, Collectives collectives) {
    this.collectives = collectives;
    // the last shard is padded so that all are of one size
    long world = collectives.worldSize();
    long shard = (reader.layout().numel() + world - 1) / world;
    for (int layer = 0; layer < numHiddenLayers; layer++) {
      shards.add(reader.read(layer, collectives.rank() * shard, shard));
    }
  }

  @Override
  public Tensor flat(int layer) {
    return collectives.allGather(shards.get(layer));
  }
}
