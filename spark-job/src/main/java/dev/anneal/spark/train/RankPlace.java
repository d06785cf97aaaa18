package dev.anneal.spark.train;

import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.tensor.Device;
import java.util.List;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.resource.ResourceInformation;

/**
 * Where a rank computes.
 *
 * @param gpu {@code null} on the CPU
 */
record RankPlace(Device device, Gpu gpu) {

  /**
   * Those of the ranks of a node.
   *
   * @param count GPUs of a node; 0 for one rank on the CPU
   * @param seen the GPUs that this process sees
   */
  static List<RankPlace> of(
      BarrierTaskContext context, Rendezvous rendezvous, int count, List<Gpu> seen) {
    if (count == 0) {
      return List.of(new RankPlace(Device.CPU, null));
    }
    ResourceInformation assigned = context.resourcesJMap().get("gpu");
    List<Gpu> mine =
        assigned == null
            ? GpuDivision.shared(rendezvous.places(), context.partitionId(), count, seen)
            : GpuDivision.assigned(assigned.addresses(), count, seen);
    return mine.stream().map(gpu -> new RankPlace(Device.gpu(gpu.index()), gpu)).toList();
  }
}
