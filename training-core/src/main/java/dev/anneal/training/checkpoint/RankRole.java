package dev.anneal.training.checkpoint;

import dev.anneal.training.lora.FirstFactors;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.tensor.Device;

/**
 * What of a checkpoint is a rank's to write.
 *
 * @param device where the rank computes
 * @param adapterConfig of the adapter that rank 0 writes; {@code null} where none trains
 * @param first of PiSSA on rank 0, else {@code null}
 */
public record RankRole(
    Device device, int rank, int worldSize, PeftConfig adapterConfig, FirstFactors first) {

  boolean writesAdapter() {
    return rank == 0 && adapterConfig != null;
  }
}
