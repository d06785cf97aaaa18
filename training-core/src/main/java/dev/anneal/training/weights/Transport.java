package dev.anneal.training.weights;

import dev.anneal.training.peer.CudaPeerDriver;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.peer.PeerDriver;

/** How ranks come by each other's part of a layer. */
public enum Transport {
  /** {@link #PEERS} between processes where all ranks can, else {@link #COLLECTIVE} */
  ANY,
  /** copies out of the other ranks' memory; an error where that cannot be */
  PEERS,
  /** an all-gather of the group */
  COLLECTIVE;

  /** The system property that decides, for measurements; {@link #ANY} without it. */
  public static final String PROPERTY = "anneal.weights.transport";

  /**
   * Whether ranks read each other's memory that are threads of one process: so far only where it is
   * asked for, since it has not been measured. With {@code this != COLLECTIVE} all that can do.
   */
  private boolean servesThreads() {
    return this == PEERS;
  }

  /** Where a rank takes what its peers read. Where threads may be among them, a collective. */
  PeerArena arena(Placement placement) {
    boolean reads = placement.device().isGpu() && placement.ranks().worldSize() > 1;
    return arena(placement, reads ? new CudaPeerDriver(placement.device()) : null);
  }

  /**
   * The same with a way to the device.
   *
   * @param driver {@code null} where there is none, as on the host
   */
  PeerArena arena(Placement placement, PeerDriver driver) {
    if (driver != null && servesThreads()) {
      return PeerArena.open(placement.ranks(), placement.device(), driver, placement.mapped());
    }
    String whyNotThreads =
        "ranks are threads of one process, which copy only with %s=peers".formatted(PROPERTY);
    return PeerArena.ordinary(placement.device(), driver, whyNotThreads);
  }

  /**
   * What {@link #PROPERTY} says.
   *
   * @throws IllegalArgumentException if it is none of these
   */
  public static Transport asked() {
    return AskedWord.of(PROPERTY, ANY);
  }
}
