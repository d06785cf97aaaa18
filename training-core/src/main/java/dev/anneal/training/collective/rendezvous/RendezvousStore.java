package dev.anneal.training.collective.rendezvous;

import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.NativeLibraries;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.IntOptional;
import org.bytedeco.pytorch.PrefixStore;
import org.bytedeco.pytorch.Store;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;

/**
 * The key-value store that the ranks meet at; rank 0 serves it. Each rank has a connection of its
 * own, since one that waits for a key keeps its connection to itself.
 *
 * <p>libtorch's store asks nobody who he is, so it listens on the loopback interface alone. A
 * {@link StoreGate} listens on the interface that the ranks use and lets those in that know the
 * token; a {@link StoreTunnel} in each of their processes leads through it.
 */
public final class RendezvousStore implements AutoCloseable {
  private static final Duration MEETING_PAUSE = Duration.ofMillis(20);

  private final TCPStore store;
  private final StoreAddress address;
  private final InetAddress localAddress;
  private final AutoCloseable way;

  private RendezvousStore(
      TCPStore store, StoreAddress address, InetAddress localAddress, AutoCloseable way) {
    this.store = store;
    this.address = address;
    this.localAddress = localAddress;
    this.way = way;
  }

  /**
   * Starts the store on this host, on a port that the system chooses, with a token of its own.
   *
   * @param host name or address that the other ranks reach this host by
   */
  public static RendezvousStore serve(String host, Duration timeout) {
    TCPStore store = null;
    try {
      Loopback listener = Loopback.listen();
      store = open(listener.port(), listener, timeout);
      StoreGate gate = StoreGate.open(host, listener.port(), SharedSecret.random());
      return new RendezvousStore(
          store, gate.address(), InetAddress.getByName(gate.address().host()), gate);
    } catch (IOException | RuntimeException e) {
      if (store != null) {
        store.close();
      }
      throw new CollectiveException(
          "The rendezvous store cannot be started on %s (%s): check that this is an address of this host."
              .formatted(host, NativeErrors.firstLine(e)),
          e);
    }
  }

  /**
   * Connects to the store of rank 0.
   *
   * @param timeout how long to try, here and in every call
   */
  public static RendezvousStore connect(StoreAddress address, Duration timeout) {
    StoreTunnel tunnel = null;
    try {
      tunnel = StoreTunnel.open(address, timeout);
      TCPStore store = open(tunnel.port(), null, timeout);
      return new RendezvousStore(store, address, tunnel.localAddress(), tunnel);
    } catch (IOException | RuntimeException e) {
      if (tunnel != null) {
        tunnel.close();
      }
      throw new CollectiveException(
          "The rendezvous store at %s cannot be reached (%s): check that the nodes reach each other on all ports."
              .formatted(address, NativeErrors.firstLine(e)),
          e);
    }
  }

  /**
   * @param listener that the store is served on; {@code null} to connect to one
   */
  private static TCPStore open(int port, Loopback listener, Duration timeout) {
    NativeLibraries.load();
    try (TCPStoreOptions options = new TCPStoreOptions();
        Milliseconds wait = new Milliseconds(timeout.toMillis());
        IntOptional descriptor =
            listener == null ? new IntOptional() : new IntOptional(listener.descriptor())) {
      options
          .port((short) port)
          .isServer(listener != null)
          .masterListenFd(descriptor)
          .waitWorkers(false)
          .timeout(wait);
      return new TCPStore(Loopback.ADDRESS.getHostAddress(), options);
    }
  }

  /** Where the other ranks find it, with its token. */
  public StoreAddress address() {
    return address;
  }

  /** What all who are at this store know. */
  public SharedSecret secret() {
    return SharedSecret.of(address.token());
  }

  /** This host's address on the interface that the ranks use. */
  public InetAddress localAddress() {
    return localAddress;
  }

  /**
   * Waits for {@code count} ranks, this one among them, to come here with the same {@code key}.
   *
   * @return whether they have within {@code timeout}
   */
  public boolean meet(String key, int count, Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    try {
      long present = store.add(key, 1);
      while (present < count && System.nanoTime() < deadline) {
        Thread.sleep(MEETING_PAUSE.toMillis());
        present = store.add(key, 0);
      }
      return present >= count;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } catch (RuntimeException e) {
      // whoever served it has gone
      return false;
    }
  }

  /**
   * A connection of its own for a group, in the current pointer scope; what is stored through it is
   * told apart by {@code name}.
   */
  public Store connection(String name) {
    // Java deletes a store that its constructor made, whoever still holds it; a clone is counted
    return new PrefixStore(name, store.clone()).clone();
  }

  @Override
  public void close() {
    store.close();
    Relays.closeQuietly(way);
  }
}
