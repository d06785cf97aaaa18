package dev.anneal.training.collective.rendezvous;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.function.Consumer;

/** A listening socket on one address alone, whose connections are taken by a thread of its own. */
final class Listener implements AutoCloseable {
  private static final int BACKLOG = 1024;
  private static final long PAUSE_MILLIS = 50;

  private final ServerSocket socket;

  private Listener(ServerSocket socket) {
    this.socket = socket;
  }

  /**
   * Listens on a port that the system chooses.
   *
   * @param onConnection gets every connection, to be closed by it; must not wait
   */
  static Listener open(InetAddress address, String name, Consumer<Socket> onConnection)
      throws IOException {
    ServerSocket socket = new ServerSocket();
    try {
      socket.bind(new InetSocketAddress(address, 0), BACKLOG);
    } catch (IOException e) {
      socket.close();
      throw e;
    }
    Listener listener = new Listener(socket);
    Thread thread = new Thread(() -> listener.accept(onConnection), name);
    thread.setDaemon(true);
    thread.start();
    return listener;
  }

  String host() {
    return socket.getInetAddress().getHostAddress();
  }

  int port() {
    return socket.getLocalPort();
  }

  private void accept(Consumer<Socket> onConnection) {
    while (!socket.isClosed()) {
      try {
        onConnection.accept(socket.accept());
      } catch (IOException e) {
        pause();
      }
    }
  }

  // a connection may have gone before it was taken, or the process may be out of descriptors
  private void pause() {
    try {
      if (!socket.isClosed()) {
        Thread.sleep(PAUSE_MILLIS);
      }
    } catch (InterruptedException e) {
      Relays.closeQuietly(socket);
    }
  }

  @Override
  public void close() {
    Relays.closeQuietly(socket);
  }
}
