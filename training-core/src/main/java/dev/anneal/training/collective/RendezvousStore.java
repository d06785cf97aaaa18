package dev.anneal.training.collective;

import dev.anneal.training.tensor.NativeLibraries;
import java.time.Duration;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.PrefixStore;
import org.bytedeco.pytorch.Store;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;

/**
 * The key-value store that the ranks meet at; rank 0 serves it. Each rank has a connection of its
 * own, since one that waits for a key keeps its connection to itself.
 */
public final class RendezvousStore implements AutoCloseable {
  private static final Duration MEETING_PAUSE = Duration.ofMillis(20);

  private final TCPStore store;

  private RendezvousStore(TCPStore store) {
    this.store = store;
  }

  /**
   * Starts the store on this host, on a port that the system chooses.
   *
   * @param host name or address that the other ranks reach this host by
   */
  public static RendezvousStore serve(String host, Duration timeout) {
    return open(host, 0, true, timeout);
  }

  /** Connects to the store of rank 0. */
  public static RendezvousStore connect(String host, int port, Duration timeout) {
    return open(host, port, false, timeout);
  }

  private static RendezvousStore open(String host, int port, boolean serve, Duration timeout) {
    NativeLibraries.load();
    try (TCPStoreOptions options = new TCPStoreOptions();
        Milliseconds wait = new Milliseconds(timeout.toMillis())) {
      options.port((short) port).isServer(serve).waitWorkers(false).timeout(wait);
      return new RendezvousStore(new TCPStore(host, options));
    } catch (RuntimeException e) {
      throw new CollectiveException(
          "The rendezvous store at %s:%d cannot be %s: check that the nodes reach each other on all ports."
              .formatted(host, port, serve ? "started" : "reached"),
          e);
    }
  }

  /** The port it is served on. */
  public int port() {
    return Short.toUnsignedInt(store.getPort());
  }

  /**
   * Waits for {@code count} ranks, this one among them, to come here with the same {@code key}.
   *
   * @return whether they have within {@code timeout}
   */
  boolean meet(String key, int count, Duration timeout) {
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
  Store connection(String name) {
    // Java deletes a store that its constructor made, whoever still holds it; a clone is counted
    return new PrefixStore(name, store.clone()).clone();
  }

  @Override
  public void close() {
    store.close();
  }
}
