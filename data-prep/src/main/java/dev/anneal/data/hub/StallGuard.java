package dev.anneal.data.hub;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** An answer that is given up when nothing comes any more: Java's client would wait for ever. */
final class StallGuard extends FilterInputStream {
  private final long limitNanos;
  private volatile long waitingSince;
  private volatile boolean waiting;
  private volatile boolean closed;
  private volatile boolean stalled;

  private StallGuard(InputStream in, Duration limit) {
    super(in);
    this.limitNanos = limit.toNanos();
  }

  /** The same bytes, unless none come for so long. */
  static InputStream around(InputStream in, Duration limit) {
    StallGuard guard = new StallGuard(in, limit);
    guard.look();
    return guard;
  }

  private void look() {
    if (closed) {
      return;
    }
    if (waiting && System.nanoTime() - waitingSince > limitNanos) {
      stalled = true;
      try {
        // wakes whoever reads
        in.close();
      } catch (IOException alreadyBroken) {
        return;
      }
      return;
    }
    CompletableFuture.delayedExecutor(limitNanos / 4, TimeUnit.NANOSECONDS).execute(this::look);
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] bytes, int offset, int length) throws IOException {
    waitingSince = System.nanoTime();
    waiting = true;
    try {
      return in.read(bytes, offset, length);
    } catch (IOException e) {
      throw stalled
          ? new IOException("nothing came for " + limitNanos / 1_000_000_000 + " seconds", e)
          : e;
    } finally {
      waiting = false;
    }
  }

  @Override
  public long skip(long count) throws IOException {
    byte[] passed = new byte[(int) Math.max(1, Math.min(count, 1 << 16))];
    return Math.max(0, read(passed, 0, (int) Math.min(count, passed.length)));
  }

  @Override
  public boolean markSupported() {
    return false;
  }

  @Override
  public void close() throws IOException {
    closed = true;
    in.close();
  }
}
