package dev.anneal.training.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;

/** A folder like another one but for what a test makes different. */
public class ForwardingFolder implements ModelFolder {
  private final ModelFolder folder;

  public ForwardingFolder(ModelFolder folder) {
    this.folder = folder;
  }

  @Override
  public String location() {
    return folder.location();
  }

  @Override
  public boolean has(String file) throws IOException {
    return folder.has(file);
  }

  @Override
  public SeekableByteChannel open(String file) throws IOException {
    return folder.open(file);
  }

  /** A channel like another one, likewise. */
  public static class Channel implements SeekableByteChannel {
    private final SeekableByteChannel channel;

    public Channel(SeekableByteChannel channel) {
      this.channel = channel;
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
      return channel.read(into);
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
      return channel.write(from);
    }

    @Override
    public long position() throws IOException {
      return channel.position();
    }

    @Override
    public SeekableByteChannel position(long position) throws IOException {
      channel.position(position);
      return this;
    }

    @Override
    public long size() throws IOException {
      return channel.size();
    }

    @Override
    public SeekableByteChannel truncate(long size) throws IOException {
      channel.truncate(size);
      return this;
    }

    @Override
    public boolean isOpen() {
      return channel.isOpen();
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }
}
