package dev.anneal.training.weights.reader;

import dev.anneal.training.io.ForwardingFolder;
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
public final class RecordingFolder extends ForwardingFolder {

  /** One read. */
  public record Read(String file, long from, long to) {}

  private final List<Read> reads = Collections.synchronizedList(new ArrayList<>());
  private final AtomicInteger open = new AtomicInteger();
  private final AtomicInteger mostOpen = new AtomicInteger();

  public RecordingFolder(ModelFolder folder) {
    super(folder);
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
  public SeekableByteChannel open(String file) throws IOException {
    mostOpen.accumulateAndGet(open.incrementAndGet(), Math::max);
    return new Recording(super.open(file), file);
  }

  private final class Recording extends Channel {
    private final String file;
    private final AtomicBoolean closed = new AtomicBoolean();

    Recording(SeekableByteChannel channel, String file) {
      super(channel);
      this.file = file;
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
      long from = position();
      int bytes = super.read(into);
      reads.add(new Read(file, from, position()));
      return bytes;
    }

    @Override
    public void close() throws IOException {
      // an interrupted thread closes the file under it, but nobody's channel
      if (closed.compareAndSet(false, true)) {
        open.decrementAndGet();
      }
      super.close();
    }
  }
}
