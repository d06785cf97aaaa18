package dev.anneal.spark.fuzz;

import dev.anneal.training.io.ModelFolder;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.util.Map;

/** A model folder whose files are arrays. */
record MemoryFolder(Map<String, byte[]> files) implements ModelFolder {

  @Override
  public String location() {
    return "memory";
  }

  @Override
  public boolean has(String file) {
    return files.containsKey(file);
  }

  @Override
  public SeekableByteChannel open(String file) throws IOException {
    byte[] bytes = files.get(file);
    if (bytes == null) {
      throw new FileNotFoundException(file);
    }
    return new Channel(ByteBuffer.wrap(bytes));
  }

  private record Channel(ByteBuffer bytes) implements SeekableByteChannel {
    @Override
    public int read(ByteBuffer into) {
      if (!bytes.hasRemaining()) {
        return -1;
      }
      int count = Math.min(into.remaining(), bytes.remaining());
      into.put(bytes.slice(bytes.position(), count));
      bytes.position(bytes.position() + count);
      return count;
    }

    @Override
    public long position() {
      return bytes.position();
    }

    @Override
    public SeekableByteChannel position(long position) {
      bytes.position((int) Math.min(position, bytes.capacity()));
      return this;
    }

    @Override
    public long size() {
      return bytes.capacity();
    }

    @Override
    public int write(ByteBuffer from) {
      throw new UnsupportedOperationException();
    }

    @Override
    public SeekableByteChannel truncate(long size) {
      throw new UnsupportedOperationException();
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }
}
