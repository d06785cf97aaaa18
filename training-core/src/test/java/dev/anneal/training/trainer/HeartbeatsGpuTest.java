package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Heartbeats over NCCL: beside a rank's thread that uses its GPU, before its next collective. */
@Tag("gpu")
class HeartbeatsGpuTest {
  @Test
  void ranksWaitForTheSlowestAndGoOnTogether() throws Exception {
    NcclPair.assumeGpus(2);
    List<Double> sums = NcclRanks.run(2, HeartbeatsGpuTest::sum);
    // 2,000 x 1 and 2,000 x 2
    assertThat(sums).containsExactly(6000.0, 6000.0);
  }

  private static double sum(Ranks ranks) {
    try (TensorScope scope = new TensorScope()) {
      Tensor all = Tensors.zeros(ranks.device(), ScalarType.Float, 1 << 20);
      Heartbeats.during(
          ranks,
          () -> {
            for (int i = 0; ranks.rank() == 1 && i < 2000; i++) {
              all.add_(Tensors.scalar(2));
            }
            for (int i = 0; ranks.rank() == 0 && i < 2000; i++) {
              all.add_(Tensors.scalar(1));
            }
            sleep(ranks.rank() * 3000L);
          });
      ranks.world().allReduceSum(all);
      double sum = all.mean().item_double();
      ranks.check();
      return sum;
    }
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
