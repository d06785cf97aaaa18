package dev.anneal.data.hub;

import dev.anneal.storage.ReadOnlyChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;

/** A file of the hub that is read by range, a little ahead: for headers, not for contents. */
public final class HubChannel extends ReadOnlyChannel {
  private static final int AHEAD_BYTES = 1 << 16;

  private final HubReader reader;
  private byte[] window = new byte[0];
  private long windowStart;
  private long position;

  /** At the start of the file. */
  public HubChannel(HubReader reader, HubFile file) {
    super(file.bytes());
    this.reader = reader;
  }

  @Override
  public int read(ByteBuffer target) throws IOException {
    if (position >= size()) {
      return -1;
    }
    if (position < windowStart || position >= windowStart + window.length) {
      long wanted = Math.max(target.remaining(), AHEAD_BYTES);
      fill((int) Math.min(wanted, size() - position));
    }
    int from = (int) (position - windowStart);
    int count = Math.min(target.remaining(), window.length - from);
    target.put(window, from, count);
    position += count;
    return count;
  }

  private void fill(int bytes) throws IOException {
    byte[] filled = new byte[bytes];
    long start = position;
    reader.read(
        start,
        start + bytes,
        (chunk, length, at) -> System.arraycopy(chunk, 0, filled, (int) (at - start), length));
    window = filled;
    windowStart = start;
  }

  @Override
  public long position() {
    return position;
  }

  @Override
  public SeekableByteChannel position(long newPosition) {
    position = newPosition;
    return this;
  }
}
