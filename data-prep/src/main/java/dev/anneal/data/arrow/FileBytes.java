package dev.anneal.data.arrow;

import dev.anneal.storage.Storage;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;

/** The bytes of a file: mapped into memory if it is local, else read where they are asked for. */
abstract sealed class FileBytes implements AutoCloseable {

  static FileBytes open(String location, Storage storage) throws IOException {
    SeekableByteChannel channel = storage.openChannel(location);
    if (!(channel instanceof FileChannel local)) {
      return new Streamed(channel);
    }
    // a map outlives its channel
    try (local) {
      return new Mapped(local);
    }
  }

  abstract long size() throws IOException;

  /** A stretch of at most 1 GiB, from position 0 to its limit. */
  abstract ByteBuffer slice(long offset, int length) throws IOException;

  @Override
  public abstract void close() throws IOException;

  /** A local file; its pages come and go as the operating system sees fit. */
  static final class Mapped extends FileBytes {
    // windows of 2 GiB, which is all that a buffer can hold, with a new one every GiB
    private static final long STRIDE = 1L << 30;

    private final MappedByteBuffer[] windows;
    private final long size;

    private Mapped(FileChannel channel) throws IOException {
      size = channel.size();
      windows = new MappedByteBuffer[Math.toIntExact((size + STRIDE - 1) / STRIDE)];
      for (int i = 0; i < windows.length; i++) {
        long start = i * STRIDE;
        long length = Math.min(size - start, Integer.MAX_VALUE);
        windows[i] = channel.map(FileChannel.MapMode.READ_ONLY, start, length);
      }
    }

    @Override
    long size() {
      return size;
    }

    @Override
    ByteBuffer slice(long offset, int length) {
      return windows[(int) (offset / STRIDE)].slice((int) (offset % STRIDE), length);
    }

    // the garbage collector unmaps what nobody refers to
    @Override
    public void close() {}
  }

  /** A remote file. */
  static final class Streamed extends FileBytes {
    private final SeekableByteChannel channel;

    private Streamed(SeekableByteChannel channel) {
      this.channel = channel;
    }

    @Override
    long size() throws IOException {
      return channel.size();
    }

    @Override
    ByteBuffer slice(long offset, int length) throws IOException {
      ByteBuffer bytes = ByteBuffer.allocate(length);
      channel.position(offset);
      while (bytes.hasRemaining()) {
        if (channel.read(bytes) < 0) {
          throw new EOFException("the file ends at " + (offset + bytes.position()));
        }
      }
      return bytes.flip();
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}
