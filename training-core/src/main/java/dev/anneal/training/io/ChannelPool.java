package dev.anneal.training.io;

import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * The open files of a folder. A channel has one position, so every reader takes one for itself; a
 * few stay open for the next, those used longest ago are closed.
 */
final class ChannelPool implements AutoCloseable {
  /** An object store's client has few connections to go around. */
  private static final int MAX_IDLE = 16;

  private record Idle(String file, SeekableByteChannel channel, long position) {}

  private final ModelFolder folder;

  /** The last used first. */
  private final Deque<Idle> idle = new ArrayDeque<>();

  private boolean closed;

  ChannelPool(ModelFolder folder) {
    this.folder = folder;
  }

  /**
   * A channel on {@code file} for the caller alone: one that stands at {@code position} if there
   * is, which spares an object store a new request.
   */
  SeekableByteChannel take(String file, long position) throws IOException {
    SeekableByteChannel found = takeIdle(file, position);
    return found == null ? folder.open(file) : found;
  }

  private synchronized SeekableByteChannel takeIdle(String file, long position) {
    Idle best = null;
    for (Idle candidate : idle) {
      if (candidate.file().equals(file) && (best == null || candidate.position() == position)) {
        best = candidate;
      }
    }
    if (best == null) {
      return null;
    }
    idle.remove(best);
    return best.channel();
  }

  /** Gives back what {@link #take} gave. */
  void giveBack(String file, SeekableByteChannel channel) throws IOException {
    long position;
    try {
      position = channel.position();
    } catch (IOException e) {
      // closed already where its thread was interrupted, but for what it may be wrapped in
      channel.close();
      throw e;
    }
    SeekableByteChannel closing = null;
    synchronized (this) {
      if (closed) {
        closing = channel;
      } else {
        idle.addFirst(new Idle(file, channel, position));
        if (idle.size() > MAX_IDLE) {
          closing = idle.removeLast().channel();
        }
      }
    }
    if (closing != null) {
      closing.close();
    }
  }

  /** Closes the channels, the last used first; those that somebody has when they come back. */
  @Override
  public void close() throws IOException {
    List<Idle> closing;
    synchronized (this) {
      closed = true;
      closing = new ArrayList<>(idle);
      idle.clear();
    }
    IOException first = null;
    for (Idle each : closing) {
      try {
        each.channel().close();
      } catch (IOException e) {
        if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
