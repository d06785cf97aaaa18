package dev.anneal.training.collective.rendezvous;

import java.io.IOException;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Pairs of connections, of which each gets what the other sends, until either ends. */
final class Relays implements AutoCloseable {
  // it copies and does nothing else
  private static final long STACK_BYTES = 128 * 1024;

  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final String name;
  private volatile boolean closed;

  /**
   * @param name of the threads
   */
  Relays(String name) {
    this.name = name;
  }

  /** Joins two connections, which are closed together. */
  void join(Socket one, Socket other) throws IOException {
    // questions and answers of a few bytes
    one.setTcpNoDelay(true);
    other.setTcpNoDelay(true);
    open.add(one);
    open.add(other);
    copy(one, other);
    copy(other, one);
    if (closed) {
      close();
    }
  }

  private void copy(Socket from, Socket to) {
    Runnable copying =
        () -> {
          try {
            from.getInputStream().transferTo(to.getOutputStream());
          } catch (IOException e) {
            // either has gone, and so does the other
          } finally {
            end(from);
            end(to);
          }
        };
    Thread thread = new Thread(null, copying, name, STACK_BYTES);
    thread.setDaemon(true);
    thread.start();
  }

  private void end(Socket socket) {
    open.remove(socket);
    closeQuietly(socket);
  }

  /** Closes what may be closed already. */
  static void closeQuietly(AutoCloseable socket) {
    try {
      socket.close();
    } catch (Exception e) {
      // there is nothing left to send
    }
  }

  @Override
  public void close() {
    closed = true;
    open.forEach(this::end);
  }
}
