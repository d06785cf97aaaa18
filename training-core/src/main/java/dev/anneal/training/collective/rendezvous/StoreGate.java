package dev.anneal.training.collective.rendezvous;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The way to a store that listens on the loopback interface alone: listens on one address of the
 * host, and lets those in that know the secret. Strangers that say nothing wait a few seconds, and
 * when many do, the one that has waited longest makes room, so that they keep nobody out.
 */
final class StoreGate implements AutoCloseable {
  private static final int MOST_WAITING = 256;
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final Deque<Socket> waiting = new ArrayDeque<>();
  private final Relays relays = new Relays("rendezvous gate relay");
  private final SharedSecret secret;
  private final int storePort;
  private final Listener listener;

  private StoreGate(InetAddress address, int storePort, SharedSecret secret) throws IOException {
    this.secret = secret;
    this.storePort = storePort;
    this.listener = Listener.open(address, "rendezvous gate", this::receive);
  }

  /**
   * Opens it on a port that the system chooses.
   *
   * @param host name or address of this host, whose interface is the one to listen on
   * @param storePort of the store on the loopback interface
   */
  static StoreGate open(String host, int storePort, SharedSecret secret) throws IOException {
    return new StoreGate(InetAddress.getByName(host), storePort, secret);
  }

  StoreAddress address() {
    return new StoreAddress(listener.host(), listener.port(), secret.toText());
  }

  private void receive(Socket socket) {
    synchronized (waiting) {
      waiting.addLast(socket);
      if (waiting.size() > MOST_WAITING) {
        Relays.closeQuietly(waiting.removeFirst());
      }
    }
    Thread thread = new Thread(() -> welcome(socket), "rendezvous gate handshake");
    thread.setDaemon(true);
    thread.start();
  }

  private void welcome(Socket socket) {
    boolean joined = false;
    try {
      Handshake handshake = new Handshake(socket, secret, PATIENCE);
      if (handshake.admits()) {
        Socket store = new Socket(Loopback.ADDRESS, storePort);
        handshake.ready();
        relays.join(socket, store);
        joined = true;
      }
    } catch (IOException e) {
      // a stranger, or a rank that comes again
    } finally {
      synchronized (waiting) {
        waiting.remove(socket);
      }
      if (!joined) {
        Relays.closeQuietly(socket);
      }
    }
  }

  @Override
  public void close() {
    listener.close();
    synchronized (waiting) {
      waiting.forEach(Relays::closeQuietly);
    }
    relays.close();
  }
}
