package dev.anneal.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.SeekableByteChannel;

/** What all channels have in common that can be read at any position, and not written. */
public abstract class ReadOnlyChannel implements SeekableByteChannel {
  private final long size;
  private boolean open = true;

  protected ReadOnlyChannel(long size) {
    this.size = size;
  }

  @Override
  public final long size() {
    return size;
  }

  @Override
  public final int write(ByteBuffer source) {
    throw new NonWritableChannelException();
  }

  @Override
  public final SeekableByteChannel truncate(long length) {
    throw new NonWritableChannelException();
  }

  @Override
  public final boolean isOpen() {
    return open;
  }

  @Override
  public void close() throws IOException {
    open = false;
  }
}
