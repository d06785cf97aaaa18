package dev.anneal.training.trainer;

import static dev.anneal.training.timing.Timings.NO_LAYER;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.BusyGpu;
import dev.anneal.training.Property;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.PinnedMemory;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.timing.Profile.ProfiledSpan;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.timing.StepTimings;
import dev.anneal.training.timing.Timings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The times of steps on a GPU, between events that nobody waits for. */
@Tag("gpu")
class StepTimesGpuTest {
  private static final Ranks GPU = new Ranks(Device.gpu(0), new SingleRank(), new SingleRank());
  private static final int STEPS = 60;

  /** As many copies a step as a model of 50 layers and inputs on the host has. */
  private static final int SPANS = 100;

  private static final int SPANNED_STEPS = 100;

  @TempDir Path output;

  @Test
  void theDevicesTimesLieWithinTheStepsAndChangeNoNumber() throws IOException {
    ProfilingListener untimed = run("off", 0, KeptActivations.INPUTS_ON_HOST);
    ProfilingListener timed = run("on", 3, KeptActivations.INPUTS_ON_HOST);
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
  }

  /** Of steps that are all launches, with two spans each and with eight copies more. */
  @ParameterizedTest
  @ValueSource(strings = {"INPUTS", "INPUTS_ON_HOST"})
  void timesTakeLittleOfAStep(String kept) throws IOException {
    KeptActivations activations =
        kept.equals("INPUTS") ? KeptActivations.INPUTS : KeptActivations.INPUTS_ON_HOST;
    // loads kernels, and has the JVM compile
    run("on", 0, activations);
    List<Double> untimed = new ArrayList<>();
    List<Double> timed = new ArrayList<>();
    for (int turn = 0; turn < 3; turn++) {
      untimed.add(median(run("off", 0, activations).steps()));
      ProfilingListener run = run("on", 0, activations);
      timed.add(median(run.steps()));
      System.out.printf(
          "%s, medians: step %.3f ms untimed, %.3f timed, of which enqueued in %.3f, on the device %.3f, copied %.3f%n",
          kept,
          untimed.get(turn),
          timed.get(turn),
          median(run, StepTimes::hostEnqueue),
          median(run, StepTimes::device),
          median(run, StepTimes::offload));
    }
    // in turns, and the fastest of each, which was disturbed least
    assertThat(Collections.min(timed)).isLessThan(1.2 * Collections.min(untimed));
  }

  /** They are read while the device is at the update. */
  @Test
  void readingTimesWaitsForNothing() {
    NativeLibraries.load();
    try (TensorScope scope = new TensorScope();
        BusyGpu busy = new BusyGpu(GPU.device());
        StepTimings timings = new StepTimings(GPU.device());
        CudaStream stream = CudaStream.of(GPU.device())) {
      for (int step = 1; step <= 2; step++) {
        timings.begin(step);
        try (Timings.Span span = timings.device(Lane.COMPUTE, "forward and backward", NO_LAYER)) {
          Tensors.ones(GPU.device(), ScalarType.Float, 1024);
          try (CudaStream.Use on = stream.use();
              Timings.Span copy = timings.device(Lane.OFFLOAD, "copy", 0)) {
            Tensors.ones(GPU.device(), ScalarType.Float, 1024);
          }
        }
        torch_cuda.device_synchronize();
        timings.waited();
        if (step == 2) {
          busy.hold();
        }
        try (Timings.Span span = timings.device(Lane.COMPUTE, "update", NO_LAYER)) {
          busy.begin();
        }
        StepTimes times = timings.end(1, 0);
        assertThat(times.device()).as("step %s, device", step).isPositive();
        assertThat(times.offload()).as("step %s, copies", step).isPositive();
      }
      assertThat(busy.isDone()).as("the host has waited for the update").isFalse();
      busy.end();
    }
  }

  /** What the host gives for a span around a copy: two events, and reading them. */
  @Test
  void aSpanTakesLittleOfTheHost() {
    NativeLibraries.load();
    // loads what a copy needs, and has the JVM compile
    hostMicros("on");
    double untimed = hostMicros("off");
    double timed = hostMicros("on");
    System.out.printf("a copy takes the host %.2f us, with a span %.2f us%n", untimed, timed);
    assertThat(timed - untimed).as("microseconds of a span").isLessThan(50);
  }

  /** The median step's microseconds per copy beside the current stream, without waiting for it. */
  private static double hostMicros(String timings) {
    double[] micros = new double[SPANNED_STEPS];
    try (Property property = Property.set(StepTimings.PROPERTY, timings);
        StepTimings of = new StepTimings(GPU.device());
        TensorScope scope = new TensorScope()) {
      Tensor from = Tensors.ones(GPU.device(), ScalarType.Float, 1024);
      Tensor to = PinnedMemory.empty(GPU.device(), ScalarType.Float, 1024);
      for (int step = 0; step < SPANNED_STEPS; step++) {
        of.begin(step + 1);
        long given = copies(of, from, to);
        of.waited();
        long waited = System.nanoTime();
        StepTimes times = of.end(1, 0);
        micros[step] = (given + System.nanoTime() - waited) / 1e3 / SPANS;
        assertThat(times.areKnown()).isEqualTo(timings.equals("on"));
      }
    }
    return median(DoubleStream.of(micros));
  }

  /** The nanoseconds that giving them takes; another stream each time, as micro-batches have. */
  private static long copies(StepTimings timings, Tensor from, Tensor to) {
    try (CudaStream stream = CudaStream.of(GPU.device())) {
      long start = System.nanoTime();
      try (CudaStream.Use on = stream.use()) {
        for (int i = 0; i < SPANS; i++) {
          try (Timings.Span span = timings.device(Lane.OFFLOAD, "copy", i)) {
            to.copy_(from, true);
          }
        }
      }
      long nanos = System.nanoTime() - start;
      stream.synchronize();
      return nanos;
    }
  }

  @Test
  void aProfilesDeviceSpansFollowTheHosts() throws IOException {
    Profile profile = run("on", 3, KeptActivations.INPUTS_ON_HOST).profiles().get(0);
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

  private ProfilingListener run(String timings, int profiled, KeptActivations activations)
      throws IOException {
    ReferenceRun reference = ReferenceRun.load();
    ProfilingListener listener = new ProfilingListener(profiled);
    try (Property property = Property.set(StepTimings.PROPERTY, timings)) {
      TrainingRun.run(
          Recipe.from(reference.spec(1))
              .baseDtype(DType.BF16)
              .computeDtype(DType.BF16)
              .activations(activations)
              .steps(STEPS)
              .spec(),
          reference.inputs(null, reference.rows(), output),
          GPU,
          listener);
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
    return median(steps.stream().mapToDouble(s -> 1000 * s.tokens() / s.tokensPerSecond()));
  }

  private static double median(ProfilingListener run, ToDoubleFunction<StepTimes> part) {
    return median(run.steps().stream().map(StepMetrics::times).mapToDouble(part));
  }

  private static double median(DoubleStream values) {
    double[] sorted = values.sorted().toArray();
    return sorted[sorted.length / 2];
  }
}
