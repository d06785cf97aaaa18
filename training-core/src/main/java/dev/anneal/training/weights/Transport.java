package dev.anneal.training.weights;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.peer.CudaPeerDriver;
import dev.anneal.training.peer.NoPeerAccessException;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.peer.PeerDriver;
import dev.anneal.training.tensor.Device;
import java.util.Optional;

/** How ranks come by what other ranks have: by copies out of their memory or by collectives. */
public enum Transport {
  /** {@link #PEERS} between processes where all ranks can, else {@link #COLLECTIVE} */
  ANY,
  /** copies out of the other ranks' memory; an error where that cannot be */
  PEERS,
  /** the group's collectives */
  COLLECTIVE;

  /** The system property that decides for frozen weights, for measurements. */
  public static final String WEIGHTS = "anneal.weights.transport";

  /** The one that decides for gradients and values of adapters, for measurements. */
  public static final String PARAMETERS = "anneal.parameters.transport";

  /** Has the ranks read each other's memory. */
  public interface Connection {
    /**
     * A collective.
     *
     * @throws NoPeerAccessException on all ranks alike, if they cannot
     */
    void make() throws NoPeerAccessException;
  }

  /**
   * Whether ranks read each other's memory that are threads of one process: so far only where it is
   * asked for, since it has not been measured. With {@code this != COLLECTIVE} all that can do.
   */
  private boolean servesThreads() {
    return this == PEERS;
  }

  /**
   * Where a rank takes what its peers read. Where threads may be among them, a collective.
   *
   * @param property that decides
   * @param mapped counts what is taken of the device beside libtorch
   */
  public PeerArena arena(String property, Device device, Collectives ranks, MappedMemory mapped) {
    return arena(property, device, ranks, mapped, driver(device, ranks));
  }

  /** The way to the device; {@code null} where there are no peers, or it is the host. */
  static PeerDriver driver(Device device, Collectives ranks) {
    return device.isGpu() && ranks.worldSize() > 1 ? new CudaPeerDriver(device) : null;
  }

  /**
   * The same with a way to the device.
   *
   * @param driver {@code null} where there is none, as on the host
   */
  PeerArena arena(
      String property, Device device, Collectives ranks, MappedMemory mapped, PeerDriver driver) {
    if (driver != null && servesThreads()) {
      return PeerArena.open(ranks, device, driver, mapped);
    }
    String whyNotThreads =
        "ranks are threads of one process, which copy only with %s=peers".formatted(property);
    return PeerArena.ordinary(device, driver, whyNotThreads);
  }

  /**
   * Has the ranks read each other's memory, where that may be: a collective.
   *
   * @param property that decides
   * @return why they do not; empty where they do
   * @throws IllegalStateException if they cannot, and must
   */
  public Optional<String> connect(String property, Connection connection) {
    if (this == COLLECTIVE) {
      return Optional.of(property + " says so");
    }
    try {
      connection.make();
      return Optional.empty();
    } catch (NoPeerAccessException e) {
      if (this == PEERS) {
        throw new IllegalStateException(
            "Ranks cannot read each other's memory: %s. Leave %s unset to do without."
                .formatted(e.getMessage(), property),
            e);
      }
      return Optional.of(e.getMessage());
    }
  }

  /**
   * What {@code property} says; {@link #ANY} without it.
   *
   * @throws IllegalArgumentException if it is none of these
   */
  public static Transport asked(String property) {
    return AskedWord.of(property, ANY);
  }
}
