package dev.anneal.training.timing;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.timing.DeviceSpans.Moment;
import dev.anneal.training.timing.Profile.ProfiledSpan;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A {@link Profile} that is being taken. */
final class Recording {
  /** Some 50 MB; of a model of 126 layers the spans of about 300 micro-batches. */
  private static final int MOST = 500_000;

  private final int rank;
  private final long first;
  private final long last;
  private final long epochNanos = epochNanos() - System.nanoTime();
  private final List<ProfiledSpan> spans = new ArrayList<>();
  private final List<CudaEvent> moments = new ArrayList<>();
  private Moment since;
  private boolean isCut;

  Recording(int rank, long first, long last) {
    this.rank = rank;
    this.first = first;
    this.last = last;
  }

  private static long epochNanos() {
    Instant now = Instant.now();
    return TimeUnit.SECONDS.toNanos(now.getEpochSecond()) + now.getNano();
  }

  boolean covers(long step) {
    return first <= step && step <= last && !isCut;
  }

  boolean begins(long step) {
    return step == first;
  }

  /** Whether all that will be taken down is. */
  boolean isComplete(long step, StepTimings.More more) {
    return step >= first && (step >= last || more == StepTimings.More.NONE);
  }

  /** The last moment that both clocks know. */
  Moment since() {
    return since;
  }

  void since(Moment moment) {
    since = moment;
    moments.add(moment.event());
  }

  /** What {@link #since} needed. */
  List<CudaEvent> moments() {
    return moments;
  }

  /** Adds a span by the host's {@link System#nanoTime}. */
  void add(Lane lane, String name, int layer, long step, long begin, long end) {
    if (spans.size() == MOST) {
      cut();
      return;
    }
    String shown = layer == Timings.NO_LAYER ? name : name + " " + layer;
    // the clocks of host and device are compared anew in every step, by microseconds
    long ends = Math.max(begin, end);
    spans.add(new ProfiledSpan(lane, shown, step, begin + epochNanos, ends + epochNanos));
  }

  /** A span is missing, and what comes after it is left out. */
  void cut() {
    isCut = true;
  }

  Profile profile(long step) {
    return new Profile(rank, first, Math.min(step, last), spans, isCut);
  }
}
