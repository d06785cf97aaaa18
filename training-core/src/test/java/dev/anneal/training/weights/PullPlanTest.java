package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.LayerLayout.Part;
import dev.anneal.training.weights.PullPlan.Copy;
import dev.anneal.training.weights.PullPlan.Upload;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PullPlanTest {

  @ParameterizedTest
  @CsvSource({"2, 0", "2, 0.5", "3, 0.3", "3, 1", "7, 0.5"})
  void everyByteOfTheLayerComesOnce(int ranks, double ratio) {
    for (int rank = 0; rank < ranks; rank++) {
      LayerLayout layout = layout(ranks, rank, ratio);
      PullPlan plan = PullPlan.of(layout);
      int[] times = new int[Math.toIntExact(layout.wholeBytes())];
      plan.device().forEach(copy -> count(times, copy.to(), copy.bytes()));
      plan.uploads().forEach(upload -> count(times, upload.to(), upload.bytes()));
      plan.host().forEach(of -> of.forEach(copy -> count(times, copy.to(), copy.bytes())));
      for (Part part : layout.parts()) {
        int first = Math.toIntExact(part.at().whole());
        int end = first + Math.toIntExact(ranks * part.shardBytes());
        assertThat(IntStream.range(first, end).filter(i -> times[i] != 1).count())
            .as("bytes of %s that come not once", part.group())
            .isZero();
      }
      long bytes = layout.parts().stream().mapToLong(p -> ranks * p.shardBytes()).sum();
      assertThat(IntStream.of(times).sum()).isEqualTo(Math.toIntExact(bytes));
    }
  }

  private static void count(int[] times, long to, long bytes) {
    for (long i = to; i < to + bytes; i++) {
      times[Math.toIntExact(i)]++;
    }
  }

  @ParameterizedTest
  @CsvSource({"3, 0.3", "4, 0.5"})
  void whatAPeerHasBroughtUpLiesWhereItIsRead(int ranks, double ratio) {
    List<PullPlan> plans =
        IntStream.range(0, ranks).mapToObj(r -> PullPlan.of(layout(ranks, r, ratio))).toList();
    for (PullPlan plan : plans) {
      assertThat(plan.host()).hasSize(ranks - 1);
      for (List<Copy> ofPeer : plan.host()) {
        List<Upload> uploads = plans.get(ofPeer.get(0).rank()).uploads();
        assertThat(ofPeer.stream().map(Copy::from).toList())
            .isEqualTo(uploads.stream().map(Upload::to).toList());
        assertThat(ofPeer).allMatch(copy -> copy.from() == copy.to());
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"4, 0", "4, 0.5"})
  void noTwoRanksReadOfTheSameAtOnce(int ranks, double ratio) {
    List<List<Copy>> plans =
        IntStream.range(0, ranks)
            .mapToObj(r -> PullPlan.of(layout(ranks, r, ratio)).device())
            .toList();
    for (int i = 0; i < plans.get(0).size(); i++) {
      int step = i;
      assertThat(plans.stream().map(plan -> plan.get(step).rank())).doesNotHaveDuplicates();
    }
  }

  private static LayerLayout layout(int ranks, int rank, double ratio) {
    return LayerLayout.of(FrozenLayersTest.CONFIG, DType.BF16, ranks, rank, ratio);
  }
}
