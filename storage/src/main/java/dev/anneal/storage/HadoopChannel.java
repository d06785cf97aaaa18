package dev.anneal.storage;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.StreamCapabilities;

/**
 * A remote file as a channel that can be positioned. A read asks the store for as many bytes as the
 * target takes, in one request, whatever was read before.
 */
final class HadoopChannel extends ReadOnlyChannel {
  private static final int CHUNK_BYTES = 1 << 20;
  private static final int MAX_EARLY_ENDS = 5;

  private final FSDataInputStream in;
  private final String location;
  private final boolean asksAhead;
  private int asked;
  private byte[] chunk = new byte[0];

  HadoopChannel(FSDataInputStream in, String location, long size) {
    super(size);
    this.in = in;
    this.location = location;
    this.asksAhead = in.hasCapability(StreamCapabilities.READAHEAD);
  }

  /** Fills the target, but for the file's end. */
  @Override
  public int read(ByteBuffer target) throws IOException {
    long left = size() - in.getPos();
    if (left <= 0) {
      return -1;
    }
    int wanted = (int) Math.min(target.remaining(), left);
    ask(wanted);
    if (chunk.length < Math.min(wanted, CHUNK_BYTES)) {
      chunk = new byte[Math.min(wanted, CHUNK_BYTES)];
    }
    int read = 0;
    int earlyEnds = 0;
    while (read < wanted) {
      int count = in.read(chunk, 0, Math.min(wanted - read, chunk.length));
      if (count >= 0) {
        target.put(chunk, 0, count);
        read += count;
      } else if (++earlyEnds > MAX_EARLY_ENDS) {
        throw new EOFException(
            "'%s' has %s bytes, but ends at %s".formatted(location, size(), in.getPos()));
      }
    }
    return read;
  }

  /** Makes the next request ask for so many bytes at once. */
  private void ask(int bytes) throws IOException {
    if (asksAhead && bytes > 0 && bytes != asked) {
      in.setReadahead((long) bytes);
      asked = bytes;
    }
  }

  @Override
  public long position() throws IOException {
    return in.getPos();
  }

  @Override
  public SeekableByteChannel position(long position) throws IOException {
    in.seek(position);
    return this;
  }

  @Override
  public void close() throws IOException {
    super.close();
    in.close();
  }
}
