package dev.anneal.training.timing;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.tensor.Device;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Spans of a device between events in its streams. What they lasted is read later, when the host
 * has waited for the device anyway.
 */
final class DeviceSpans implements AutoCloseable {
  /** More are not taken down at a time: a step of very many micro-batches. */
  private static final int MOST = 1 << 16;

  /**
   * A moment that both clocks know.
   *
   * @param nanos of the host's {@link System#nanoTime}
   * @param event reached by the device at that time
   */
  record Moment(long nanos, CudaEvent event) {
    long nanosAt(CudaEvent other) {
      return nanos + Math.round(1e6 * other.millisSince(event));
    }
  }

  /**
   * One that has ended.
   *
   * @param counts whether it is one of the step's times
   * @param since {@code null}: only how long it lasts is asked
   */
  record Ended(
      Lane lane,
      String name,
      int layer,
      long step,
      boolean counts,
      CudaEvent begin,
      CudaEvent end,
      Moment since) {
    double millis() {
      return end.millisSince(begin);
    }
  }

  private final Device device;
  private final Deque<CudaEvent> idle = new ArrayDeque<>();
  private final Deque<Ended> ended = new ArrayDeque<>();
  private int reached;

  DeviceSpans(Device device) {
    this.device = device;
  }

  /** Whether another one can be taken down. */
  boolean haveRoom() {
    return ended.size() < MOST;
  }

  /** An event that is recorded in the current stream. */
  CudaEvent mark() {
    CudaEvent event = idle.poll();
    if (event == null) {
      event = new CudaEvent(device, CudaEvent.Timing.ON);
    }
    event.record();
    return event;
  }

  /** An event is not needed any more. */
  void free(CudaEvent event) {
    idle.push(event);
  }

  void add(Ended span) {
    ended.add(span);
  }

  /** The host has waited for all that has ended so far; on the host itself that is always so. */
  void reached() {
    reached = ended.size();
  }

  /** The next one that is {@link #reached}, whose events are to be freed; {@code null}: none. */
  Ended next() {
    if (!device.isGpu()) {
      return ended.poll();
    }
    // streams that nobody has waited for may be behind
    if (reached == 0 || !ended.peek().end().isDone()) {
      return null;
    }
    reached--;
    return ended.poll();
  }

  /** Waits for all of them. */
  void await() {
    ended.forEach(span -> span.end().synchronize());
    reached();
  }

  @Override
  public void close() {
    for (Ended span : ended) {
      span.begin().close();
      span.end().close();
    }
    ended.clear();
    idle.forEach(CudaEvent::close);
    idle.clear();
    reached = 0;
  }
}
