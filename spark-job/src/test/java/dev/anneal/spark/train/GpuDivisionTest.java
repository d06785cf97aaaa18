package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.cuda.Gpu;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class GpuDivisionTest {

  @Test
  void takesWhatSparkAssigns() {
    assertThat(assigned(2, 4, "3", "1")).extracting(Gpu::index).containsExactly(1, 3);
    assertThat(assigned(1, 4, "2", "3")).extracting(Gpu::index).containsExactly(2);
  }

  @Test
  void refusesAssignmentsThatItCannotUse() {
    assertThatThrownBy(() -> assigned(2, 4, "1"))
        .hasMessageContaining("assigns the GPUs [1], but cluster.gpus_per_node is 2");
    assertThatThrownBy(() -> assigned(1, 4, "4"))
        .hasMessageContaining("the GPU '4', but the process sees 4");
    assertThatThrownBy(() -> assigned(1, 4, "GPU-4f2a"))
        .hasMessageContaining("'GPU-4f2a'", "conf/gpu-discovery.sh");
  }

  @Test
  void tasksOfAHostShareItsGpusInOrder() {
    List<String> places = List.of("a all", "b all", "a all");
    assertThat(shared(places, 0, 2, 4)).extracting(Gpu::index).containsExactly(0, 1);
    assertThat(shared(places, 1, 2, 4)).extracting(Gpu::index).containsExactly(0, 1);
    assertThat(shared(places, 2, 2, 4)).extracting(Gpu::index).containsExactly(2, 3);
  }

  @Test
  void tasksThatSeeOtherGpusDoNotShareThem() {
    List<String> places = List.of("a 0,1", "a 2,3");
    assertThat(shared(places, 1, 2, 2)).extracting(Gpu::index).containsExactly(0, 1);
  }

  @Test
  void tooFewForAllTasksOfAHostAreRefused() {
    assertThatThrownBy(() -> shared(List.of("a all", "a all"), 1, 2, 3))
        .hasMessageContaining("2 tasks on this host need 2 GPUs each, but there are 3");
  }

  private static List<Gpu> assigned(int count, int seen, String... addresses) {
    return GpuDivision.assigned(addresses, count, gpus(seen));
  }

  private static List<Gpu> shared(List<String> places, int task, int count, int seen) {
    return GpuDivision.shared(places, task, count, gpus(seen));
  }

  private static List<Gpu> gpus(int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> new Gpu(i, "NVIDIA H200", 1L << 37, "580.95.05"))
        .toList();
  }
}
