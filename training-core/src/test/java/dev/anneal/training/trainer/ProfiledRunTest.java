package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.timing.Profile.ProfiledSpan;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.timing.StepTimings;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The times of steps on the host, and profiles of some of them. */
class ProfiledRunTest {
  @TempDir Path output;

  @Test
  void timesOfTwoRanksAddUpAndTheirProfilesTellOfAllLanes() throws Exception {
    List<ProfilingListener> ranks = List.of(new ProfilingListener(2), new ProfilingListener(2));
    Instant before = Instant.now();
    assertThat(
            GlooRanks.run(
                2,
                world ->
                    ResumableRun.SPLIT.run(
                        world, output, CheckpointPlan.NONE, ranks.get(world.rank()))))
        .containsOnlyNulls();
    for (int rank = 0; rank < 2; rank++) {
      ranks.get(rank).steps().forEach(ProfiledRunTest::requireParts);
      assertThat(ranks.get(rank).steps()).allMatch(step -> step.times().exchange() > 0);
      assertThat(ranks.get(rank).peakMemory())
          .hasSize(2)
          .allMatch(bytes -> bytes > 0)
          .contains(ranks.get(rank).steps().get(5).peakMemoryBytes());
      Profile profile = ranks.get(rank).profiles().get(0);
      assertThat(ranks.get(rank).profiles()).hasSize(1);
      assertThat(profile.rank()).isEqualTo(rank);
      assertThat(profile.isCut()).isFalse();
      assertThat(profile.spans().stream().map(ProfiledSpan::step).distinct())
          .containsExactlyInAnyOrder(4L, 5L);
      requireNesting(profile);
      // three micro-batches of two layers in each of two steps
      for (Lane lane : List.of(Lane.HOST, Lane.COMPUTE)) {
        assertThat(named(profile, lane, "forward \\d")).hasSize(12);
        assertThat(named(profile, lane, "recomputed forward \\d")).hasSize(12);
        assertThat(named(profile, lane, "backward \\d")).hasSize(12);
        assertThat(named(profile, lane, "update")).hasSize(2);
      }
      assertThat(named(profile, Lane.EXCHANGE, "reduce_scatter")).isNotEmpty();
      assertThat(named(profile, Lane.DATA, "data")).hasSize(2);
      assertThat(named(profile, Lane.HOST, "data|waiting for the device")).hasSize(4);
      long earliest = before.getEpochSecond();
      assertThat(profile.spans())
          .allSatisfy(
              span ->
                  assertThat(TimeUnit.NANOSECONDS.toSeconds(span.beginNanos()))
                      .isBetween(earliest, earliest + Duration.ofMinutes(5).toSeconds()));
    }
    // the slower of the two is told of on both
    assertThat(ranks.get(0).steps().stream().map(step -> step.times().dataWait()))
        .isEqualTo(ranks.get(1).steps().stream().map(step -> step.times().dataWait()).toList());
  }

  @ParameterizedTest
  @CsvSource({"1, 4, 4", "3, 4, 6", "4, 3, 6", "100, 1, 6"})
  void aProfileIsOfTheStepsBehindTheWarmUpAsFarAsThereAre(int asked, long first, long last)
      throws Exception {
    ProfilingListener listener = new ProfilingListener(asked);
    ResumableRun.FP32.run(new SingleRank(), output, CheckpointPlan.NONE, listener);
    Profile profile = listener.profiles().get(0);
    assertThat(List.of(profile.firstStep(), profile.lastStep())).containsExactly(first, last);
    assertThat(named(profile, Lane.COMPUTE, "forward and backward"))
        .extracting(ProfiledSpan::step)
        .containsExactlyElementsOf(LongStream.rangeClosed(first, last).boxed().toList());
    assertThat(named(profile, Lane.EXCHANGE, ".*")).isEmpty();
  }

  @Test
  void withoutTimesStepsAreTheSame() throws Exception {
    RecordingListener timed = new RecordingListener();
    ResumableRun.FP32.run(new SingleRank(), output, CheckpointPlan.NONE, timed);
    RecordingListener untimed = new RecordingListener();
    System.setProperty(StepTimings.PROPERTY, "off");
    try {
      ResumableRun.FP32.run(new SingleRank(), output, CheckpointPlan.NONE, untimed);
    } finally {
      System.clearProperty(StepTimings.PROPERTY);
    }
    assertThat(untimed.steps())
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields(
            "tokensPerSecond", "peakMemoryBytes", "times")
        .isEqualTo(timed.steps());
    assertThat(untimed.steps()).noneMatch(step -> step.times().areKnown());
  }

  private static void requireParts(StepMetrics step) {
    StepTimes times = step.times();
    assertThat(times.step()).isCloseTo(1000 * step.tokens() / step.tokensPerSecond(), offset(1e-6));
    assertThat(times.hostEnqueue()).isZero();
    assertThat(times.offload()).isZero();
    assertThat(times.device()).isPositive();
    assertThat(times.device()).as("%s", times).isBetween(0.3 * times.step(), times.step());
  }

  /** In each lane a span lies within another or beside it. */
  private static void requireNesting(Profile profile) {
    for (Lane lane : Lane.values()) {
      List<ProfiledSpan> spans =
          named(profile, lane, ".*").stream()
              .sorted(
                  Comparator.comparingLong(ProfiledSpan::beginNanos)
                      .thenComparing(Comparator.comparingLong(ProfiledSpan::endNanos).reversed()))
              .toList();
      Deque<ProfiledSpan> open = new ArrayDeque<>();
      for (ProfiledSpan span : spans) {
        assertThat(span.endNanos()).isGreaterThanOrEqualTo(span.beginNanos());
        while (!open.isEmpty() && open.peek().endNanos() <= span.beginNanos()) {
          open.pop();
        }
        if (!open.isEmpty()) {
          assertThat(span.endNanos())
              .as("%s in %s", span, open)
              .isLessThanOrEqualTo(open.peek().endNanos());
        }
        open.push(span);
      }
    }
  }

  private static List<ProfiledSpan> named(Profile profile, Lane lane, String pattern) {
    return profile.spans().stream()
        .filter(span -> span.lane() == lane && span.name().matches(pattern))
        .toList();
  }
}
