package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.timing.Profile.ProfiledSpan;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.timing.StepTimings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The times of steps on a GPU, between events that nobody waits for. */
@Tag("gpu")
class StepTimesGpuTest {
  private static final Ranks GPU = new Ranks(Device.gpu(0), new SingleRank(), new SingleRank());
  private static final int STEPS = 60;

  @TempDir Path output;

  @Test
  void theDevicesTimesLieWithinTheStepsAndChangeNoNumber() throws IOException {
    // first the one that may be slower
    ProfilingListener untimed = run("off", 0);
    ProfilingListener timed = run("on", 3);
    assertThat(timed.steps())
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields(
            "tokensPerSecond", "peakMemoryBytes", "times")
        .isEqualTo(untimed.steps());
    // the update of a step counts in the next, so a step alone may have more than it took
    List<StepTimes> times = timed.steps().stream().map(StepMetrics::times).skip(10).toList();
    double all = times.stream().mapToDouble(StepTimes::step).sum();
    assertThat(times.stream().mapToDouble(StepTimes::device).sum())
        .isBetween(0.1 * all, 1.02 * all);
    assertThat(times.stream().mapToDouble(StepTimes::hostEnqueue).sum()).isBetween(0.05 * all, all);
    assertThat(times).allMatch(step -> step.offload() > 0 && step.exchange() == 0);
    System.out.printf(
        "median step: %.3f ms timed, %.3f ms untimed%n",
        median(timed.steps()), median(untimed.steps()));
    assertThat(median(timed.steps())).isLessThan(1.2 * median(untimed.steps()));
  }

  @Test
  void aProfilesDeviceSpansFollowTheHosts() throws IOException {
    Profile profile = run("on", 3).profiles().get(0);
    for (long step = profile.firstStep(); step <= profile.lastStep(); step++) {
      ProfiledSpan host = first(profile, Lane.HOST, step, "forward and backward");
      ProfiledSpan device = first(profile, Lane.COMPUTE, step, "forward and backward");
      ProfiledSpan wait = first(profile, Lane.HOST, step, "waiting for the device");
      // both clocks, by some microseconds
      assertThat(device.beginNanos()).isGreaterThan(host.beginNanos() - 100_000);
      assertThat(device.endNanos()).isLessThan(wait.endNanos() + 100_000);
      for (String layer : List.of("forward 0", "recomputed forward 0", "backward 0")) {
        ProfiledSpan span = first(profile, Lane.COMPUTE, step, layer);
        assertThat(span.beginNanos()).isGreaterThanOrEqualTo(device.beginNanos());
        assertThat(span.endNanos()).isLessThanOrEqualTo(device.endNanos());
      }
      assertThat(first(profile, Lane.COMPUTE, step, "update").beginNanos())
          .isGreaterThanOrEqualTo(device.endNanos());
    }
    assertThat(profile.spans())
        .filteredOn(span -> span.lane() == Lane.OFFLOAD)
        .extracting(ProfiledSpan::name)
        .contains("input to host 0", "input to device 0");
  }

  private ProfilingListener run(String timings, int profiled) throws IOException {
    ReferenceRun reference = ReferenceRun.load();
    ProfilingListener listener = new ProfilingListener(profiled);
    System.setProperty(StepTimings.PROPERTY, timings);
    try {
      TrainingRun.run(
          Recipe.from(reference.spec(1))
              .baseDtype(DType.BF16)
              .computeDtype(DType.BF16)
              .activations(KeptActivations.INPUTS_ON_HOST)
              .steps(STEPS)
              .spec(),
          reference.inputs(null, reference.rows(), output),
          GPU,
          listener);
    } finally {
      System.clearProperty(StepTimings.PROPERTY);
    }
    return listener;
  }

  /** The first of that name: a step of the reference may have several micro-batches. */
  private static ProfiledSpan first(Profile profile, Lane lane, long step, String name) {
    List<ProfiledSpan> found =
        profile.spans().stream()
            .filter(s -> s.lane() == lane && s.step() == step && s.name().equals(name))
            .toList();
    assertThat(found).as("%s of step %s on %s", name, step, lane).isNotEmpty();
    return found.get(0);
  }

  private static double median(List<StepMetrics> steps) {
    double[] millis =
        steps.stream().mapToDouble(s -> 1000 * s.tokens() / s.tokensPerSecond()).sorted().toArray();
    return millis[millis.length / 2];
  }
}
