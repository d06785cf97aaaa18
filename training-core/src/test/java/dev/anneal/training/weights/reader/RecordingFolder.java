package dev.anneal.training.weights.reader;

import dev.anneal.training.io.ModelFolder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/** Notes which bytes of which file are read, and how many channels are open. */
public final class RecordingFolder implements ModelFolder {

  /** One read. */
  public record Read(String file, long from, long to) {}

  private final ModelFolder folder;
  private final List<Read> reads = Collections.synchronizedList(new ArrayList<>());
  private final AtomicInteger open = new AtomicInteger();
  private final AtomicInteger mostOpen = new AtomicInteger();

  public RecordingFolder(ModelFolder folder) {
    this.folder = folder;
  }

  /** Those so far. */
  public List<Read> reads() {
    return List.copyOf(reads);
  }

  /** Channels that are not closed. */
  int open() {
    return open.get();
  }

  int mostOpen() {
    return mostOpen.get();
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
    mostOpen.accumulateAndGet(open.incrementAndGet(), Math::max);
    return new Recording(folder.open(file), file);
  }

  private final class Recording implements SeekableByteChannel {
    private final SeekableByteChannel channel;
    private final String file;
    private final AtomicBoolean closed = new AtomicBoolean();

    Recording(SeekableByteChannel channel, String file) {
      this.channel = channel;
      this.file = file;
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
      long from = channel.position();
      int bytes = channel.read(into);
      reads.add(new Read(file, from, channel.position()));
      return bytes;
    }

    @Override
    public int write(ByteBuffer from) {
      throw new UnsupportedOperationException();
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
    public SeekableByteChannel truncate(long size) {
      throw new UnsupportedOperationException();
    }

    @Override
    public boolean isOpen() {
      return channel.isOpen();
    }

    @Override
    public void close() throws IOException {
      // an interrupted thread closes the file under it, but nobody's channel
      if (closed.compareAndSet(false, true)) {
        open.decrementAndGet();
      }
      channel.close();
    }
  }
}
