package dev.anneal.training.collective.rendezvous;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;

/** A port on the loopback interface that leads through a {@link StoreGate} to the store. */
final class StoreTunnel implements AutoCloseable {
  private static final Duration PAUSE = Duration.ofMillis(100);
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final Relays relays = new Relays("rendezvous tunnel relay");
  private final StoreAddress gate;
  private final SharedSecret secret;
  private final Duration timeout;
  private final Listener listener;
  private final InetAddress localAddress;

  private StoreTunnel(StoreAddress gate, Duration timeout) throws IOException {
    this.gate = gate;
    this.secret = SharedSecret.of(gate.token());
    this.timeout = timeout;
    // so that what is wrong is known before libtorch asks
    try (Socket first = admitted()) {
      this.localAddress = first.getLocalAddress();
    }
    this.listener = Listener.open(Loopback.ADDRESS, "rendezvous tunnel", this::lead);
  }

  /**
   * Opens it on a port that the system chooses, once the gate has let this process in.
   *
   * @param timeout how long to try
   */
  static StoreTunnel open(StoreAddress gate, Duration timeout) throws IOException {
    return new StoreTunnel(gate, timeout);
  }

  int port() {
    return listener.port();
  }

  /** This host's address on the way to the gate. */
  InetAddress localAddress() {
    return localAddress;
  }

  private void lead(Socket socket) {
    Thread thread =
        new Thread(
            () -> {
              try {
                relays.join(socket, admitted());
              } catch (IOException e) {
                Relays.closeQuietly(socket);
              }
            },
            "rendezvous tunnel handshake");
    thread.setDaemon(true);
    thread.start();
  }

  /** A connection that leads to the store. */
  private Socket admitted() throws IOException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (true) {
      try {
        return knock();
      } catch (IOException e) {
        if (e instanceof StrangeGateException || System.nanoTime() > deadline) {
          throw e;
        }
        sleep();
      }
    }
  }

  private Socket knock() throws IOException {
    Duration patience = timeout.compareTo(PATIENCE) < 0 ? timeout : PATIENCE;
    Socket socket = new Socket();
    boolean admitted = false;
    try {
      socket.connect(
          new InetSocketAddress(gate.host(), gate.port()), Math.toIntExact(patience.toMillis()));
      admitted = new Handshake(socket, secret, patience).isAdmitted();
      if (!admitted) {
        throw new StrangeGateException();
      }
      return socket;
    } finally {
      if (!admitted) {
        Relays.closeQuietly(socket);
      }
    }
  }

  private static void sleep() throws IOException {
    try {
      Thread.sleep(PAUSE.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /** What answers does not know the secret of this run. */
  private static final class StrangeGateException extends ConnectException {
    private static final long serialVersionUID = 1L;

    StrangeGateException() {
      super("it does not know the token of this run");
    }
  }

  @Override
  public void close() {
    listener.close();
    relays.close();
  }
}
