package dev.anneal.training.weights;

import java.util.Locale;

/** How ranks come by each other's part of a layer. */
public enum Transport {
  /** {@link #PEERS} between processes where all ranks can, else {@link #COLLECTIVE} */
  ANY,
  /**
   * copies out of the other ranks' memory; an error where that cannot be. Ranks that are threads of
   * one process hang when one of them allocates at a bad time.
   */
  PEERS,
  /** an all-gather of the group */
  COLLECTIVE;

  /** The system property that decides, for measurements; {@link #ANY} without it. */
  public static final String PROPERTY = "anneal.weights.transport";

  /**
   * What {@link #PROPERTY} says.
   *
   * @throws IllegalArgumentException if it is none of these
   */
  public static Transport asked() {
    String asked = System.getProperty(PROPERTY, ANY.name());
    for (Transport transport : values()) {
      if (transport.name().equals(asked.toUpperCase(Locale.ROOT))) {
        return transport;
      }
    }
    throw new IllegalArgumentException(
        "%s=%s is none of any, peers and collective.".formatted(PROPERTY, asked));
  }
}
