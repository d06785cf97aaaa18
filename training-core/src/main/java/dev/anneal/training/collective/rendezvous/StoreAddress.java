package dev.anneal.training.collective.rendezvous;

/**
 * Where a {@link RendezvousStore} is, and what it asks of whoever comes. It goes to the ranks by a
 * way that strangers cannot read, and into no log.
 *
 * @param host address on the interface that the ranks use
 * @param token secret, of 256 random bits
 */
public record StoreAddress(String host, int port, String token) {

  /**
   * Reads what {@link #toText} wrote.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static StoreAddress parse(String text) {
    int at = text.indexOf('@');
    // an IPv6 address has colons of its own, so the port is behind the last one
    int colon = text.lastIndexOf(':');
    if (at < 0 || colon < at) {
      throw new IllegalArgumentException("this is no address of a rendezvous store");
    }
    return new StoreAddress(
        text.substring(at + 1, colon),
        Integer.parseInt(text.substring(colon + 1)),
        text.substring(0, at));
  }

  /** The whole of it, without white space. */
  public String toText() {
    return token + "@" + host + ":" + port;
  }

  /** Without the token. */
  @Override
  public String toString() {
    return host + ":" + port;
  }
}
