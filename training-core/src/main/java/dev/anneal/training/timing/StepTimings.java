package dev.anneal.training.timing;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.timing.DeviceSpans.Ended;
import dev.anneal.training.timing.DeviceSpans.Moment;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * The times of a rank's steps, and of a few of them a {@link Profile}. Whoever trains tells it of a
 * step's {@link #begin}, of the moment when the host has {@link #waited} for the device, and of the
 * step's {@link #end}; between steps it takes nothing down. It serves the thread that makes it, and
 * ends by itself when something goes wrong in it.
 */
public final class StepTimings implements Timings, AutoCloseable {
  /** The system property that turns the times of steps off, for measurements: {@code off}. */
  public static final String PROPERTY = "anneal.timings";

  /** Whether steps follow. */
  public enum More {
    COMES,
    NONE
  }

  /** Two clocks that are read within this time are read at once. */
  private static final long CLOSE_NANOS = 50_000;

  private static final int MOST_TRIES = 8;

  private final Device device;
  private final Thread owner = Thread.currentThread();
  private final boolean always = !"off".equalsIgnoreCase(System.getProperty(PROPERTY, "on"));
  private final DeviceSpans spans;
  private final Map<Lane, Double> millis = new EnumMap<>(Lane.class);

  private long step;
  private boolean inStep;

  /** Whether there was no room for a span of the step, whose sums are too small then. */
  private boolean lacksSpans;

  /** {@code null}: no profile is asked for, or it is taken. */
  private Recording recording;

  private String failure;

  public StepTimings(Device device) {
    this.device = device;
    this.spans = new DeviceSpans(device);
  }

  /**
   * Asks for a profile, before the first step that it is of.
   *
   * @param first step of it, counted from 1
   * @param last step of it
   */
  public void record(int rank, long first, long last) {
    recording = new Recording(rank, first, last);
  }

  /** A step begins, counted from 1. */
  public void begin(long number) {
    step = number;
    inStep = failure == null;
    lacksSpans = false;
    millis.clear();
    if (isRecording() && (recording.begins(step) || device.isGpu())) {
      guarded(() -> recording.since(moment(recording.begins(step))));
    }
  }

  /** The host has waited for all that the device was given on the stream that computes. */
  public void waited() {
    if (isOn()) {
      spans.reached();
      if (isRecording() && device.isGpu()) {
        guarded(() -> recording.since(moment(false)));
      }
    }
  }

  /**
   * A moment of both clocks. On the host itself they are one, and a single moment serves all steps.
   *
   * @param waits where the device may still be at work, for which the moment would be too early
   */
  private Moment moment(boolean waits) {
    CudaEvent event = spans.mark();
    if (waits) {
      event.synchronize();
    }
    long before;
    int tries = 0;
    do {
      before = System.nanoTime();
      event.record();
      // a thread that lost its core in between would set the two clocks apart by as much
    } while (System.nanoTime() - before > CLOSE_NANOS && ++tries < MOST_TRIES);
    return new Moment(before, event);
  }

  /**
   * A step has ended; what the device has been given since {@link #waited} counts in the next one.
   *
   * @param wallMillis of the step
   * @param dataWait of the rank that waited longest, in milliseconds
   */
  public StepTimes end(double wallMillis, double dataWait) {
    if (!isOn()) {
      inStep = false;
      return StepTimes.UNKNOWN;
    }
    guarded(this::read);
    inStep = false;
    return always && failure == null && !lacksSpans
        ? new StepTimes(
            wallMillis,
            dataWait,
            device.isGpu() ? sum(Lane.HOST) : 0,
            sum(Lane.COMPUTE),
            sum(Lane.EXCHANGE),
            sum(Lane.OFFLOAD))
        : StepTimes.UNKNOWN;
  }

  /** This rank's part of {@link StepTimes#dataWait}, so far. */
  public double dataWaitMillis() {
    return sum(Lane.DATA);
  }

  /**
   * The profile that was asked for, once, after its last step; waits for the device.
   *
   * @param more where none comes, it is of the steps that there were
   */
  public Optional<Profile> taken(More more) {
    Recording profile = recording;
    if (failure != null || profile == null || !profile.isComplete(step, more)) {
      return Optional.empty();
    }
    guarded(
        () -> {
          spans.await();
          read();
        });
    recording = null;
    profile.moments().forEach(spans::free);
    return failure == null ? Optional.of(profile.profile(step)) : Optional.empty();
  }

  /** Why nothing is taken down any more, told once. */
  public Optional<String> failure() {
    Optional<String> told = Optional.ofNullable(failure).filter(why -> !why.isEmpty());
    failure = failure == null ? null : "";
    return told;
  }

  /** What the host does until the span ends, as one of the step's times. */
  public Span host(Lane lane, String name) {
    return isOn() ? new HostSpan(lane, name, NO_LAYER, true) : NOTHING;
  }

  /** What the host does until the span ends, for a trace alone. */
  public Span traced(String name) {
    return isRecording() ? new HostSpan(Lane.HOST, name, NO_LAYER, false) : NOTHING;
  }

  @Override
  public Span device(Lane lane, String name, int layer) {
    return isOn() ? deviceSpan(lane, name, layer, true) : NOTHING;
  }

  @Override
  public Span layer(String name, int layer) {
    if (!isRecording() || !isOn()) {
      return NOTHING;
    }
    Span onHost = new HostSpan(Lane.HOST, name, layer, false);
    Span onDevice = deviceSpan(Lane.COMPUTE, name, layer, false);
    return () -> {
      onDevice.close();
      onHost.close();
    };
  }

  private Span deviceSpan(Lane lane, String name, int layer, boolean counts) {
    if (!spans.haveRoom()) {
      lacksSpans = true;
      if (isRecording()) {
        recording.cut();
      }
      return NOTHING;
    }
    try {
      return new DeviceSpan(lane, name, layer, counts, spans.mark());
    } catch (RuntimeException e) {
      fail(e);
      return NOTHING;
    }
  }

  private boolean isOn() {
    return inStep && (always || isRecording()) && owner.equals(Thread.currentThread());
  }

  private boolean isRecording() {
    return failure == null && recording != null && recording.covers(step);
  }

  private double sum(Lane lane) {
    return millis.getOrDefault(lane, 0.0);
  }

  private void read() {
    for (Ended span = spans.next(); span != null; span = spans.next()) {
      if (span.counts()) {
        millis.merge(span.lane(), span.millis(), Double::sum);
      }
      if (span.since() != null && recording != null) {
        recording.add(
            span.lane(),
            span.name(),
            span.layer(),
            span.step(),
            span.since().nanosAt(span.begin()),
            span.since().nanosAt(span.end()));
      }
      spans.free(span.begin());
      spans.free(span.end());
    }
  }

  private void guarded(Runnable work) {
    try {
      work.run();
    } catch (RuntimeException e) {
      fail(e);
    }
  }

  private void fail(RuntimeException e) {
    inStep = false;
    if (failure == null) {
      failure = NativeErrors.firstLine(e);
    }
  }

  @Override
  public void close() {
    spans.close();
    if (recording != null) {
      recording.moments().forEach(CudaEvent::close);
    }
  }

  private final class HostSpan implements Span {
    private final Lane lane;
    private final String name;
    private final int layer;
    private final boolean counts;
    private final long begin = System.nanoTime();

    HostSpan(Lane lane, String name, int layer, boolean counts) {
      this.lane = lane;
      this.name = name;
      this.layer = layer;
      this.counts = counts;
    }

    @Override
    public void close() {
      long end = System.nanoTime();
      if (counts) {
        millis.merge(lane, (end - begin) / 1e6, Double::sum);
      }
      if (isRecording()) {
        recording.add(lane, name, layer, step, begin, end);
        if (lane == Lane.DATA) {
          // it is the rank's thread that reads
          recording.add(Lane.HOST, name, layer, step, begin, end);
        }
      }
    }
  }

  private final class DeviceSpan implements Span {
    private final Lane lane;
    private final String name;
    private final int layer;
    private final boolean counts;
    private final CudaEvent begin;

    DeviceSpan(Lane lane, String name, int layer, boolean counts, CudaEvent begin) {
      this.lane = lane;
      this.name = name;
      this.layer = layer;
      this.counts = counts;
      this.begin = begin;
    }

    @Override
    public void close() {
      Moment since = isRecording() ? recording.since() : null;
      guarded(
          () -> spans.add(new Ended(lane, name, layer, step, counts, begin, spans.mark(), since)));
    }
  }
}
