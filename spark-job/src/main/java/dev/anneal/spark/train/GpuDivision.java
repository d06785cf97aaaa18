package dev.anneal.spark.train;

import dev.anneal.training.cuda.Gpu;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Which GPUs of its host a task takes. */
final class GpuDivision {
  private GpuDivision() {}

  /**
   * The GPUs that Spark has assigned to the task.
   *
   * @param addresses CUDA's indices, as {@code conf/gpu-discovery.sh} prints them
   * @param seen what the process sees
   * @throws IllegalStateException if they are too few or others than it sees
   */
  static List<Gpu> assigned(String[] addresses, int count, List<Gpu> seen) {
    Set<Integer> indices = new TreeSet<>();
    for (String address : addresses) {
      if (!address.matches("\\d{1,4}") || Integer.parseInt(address) >= seen.size()) {
        throw new IllegalStateException(
            "Spark assigns the GPU '%s', but the process sees %s: use conf/gpu-discovery.sh, and the same CUDA_VISIBLE_DEVICES for worker and executor."
                .formatted(address, seen.size()));
      }
      indices.add(Integer.parseInt(address));
    }
    if (indices.size() < count) {
      throw new IllegalStateException(
          "Spark assigns the GPUs %s, but cluster.gpus_per_node is %s: set spark.task.resource.gpu.amount and spark.executor.resource.gpu.amount to %s."
              .formatted(Arrays.toString(addresses), count, count));
    }
    return indices.stream().limit(count).map(seen::get).toList();
  }

  /**
   * The share of a task where Spark assigns none: tasks that see the same GPUs of a host take them
   * in order.
   *
   * @param places what tells apart who sees other GPUs, for every task in order
   * @throws IllegalStateException if there are too few for all of them
   */
  static List<Gpu> shared(List<String> places, int task, int count, List<Gpu> seen) {
    String place = places.get(task);
    List<Integer> sharing = new ArrayList<>();
    for (int other = 0; other < places.size(); other++) {
      if (places.get(other).equals(place)) {
        sharing.add(other);
      }
    }
    int first = sharing.indexOf(task) * count;
    if (sharing.size() * count > seen.size()) {
      throw new IllegalStateException(
          "%s tasks on this host need %s GPUs each, but there are %s: lower cluster.nodes or cluster.gpus_per_node."
              .formatted(sharing.size(), count, seen.size()));
    }
    return seen.subList(first, first + count);
  }
}
