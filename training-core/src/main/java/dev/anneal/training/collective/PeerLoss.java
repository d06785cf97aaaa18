package dev.anneal.training.collective;

import java.util.Locale;
import java.util.stream.Stream;

/** What a rank has noticed of a peer that is missing. */
public enum PeerLoss {
  /** The connection to it was closed or reset: its process has ended, or the network has. */
  CLOSED,
  /** It did not answer in time; whether it is still there, the connection does not tell. */
  TIMED_OUT,
  /** Nothing that tells these apart. */
  UNKNOWN;

  /** By what Gloo, NCCL, the store of libtorch and Java's sockets say. */
  static PeerLoss of(Throwable failure) {
    return Stream.iterate(failure, t -> t != null, Throwable::getCause)
        .map(t -> of(String.valueOf(t.getMessage()).toLowerCase(Locale.ROOT)))
        .filter(loss -> loss != UNKNOWN)
        .findFirst()
        .orElse(UNKNOWN);
  }

  private static PeerLoss of(String message) {
    // a rank whose own wait is over closes its connections: "timeout caused pair closure"
    if (message.contains("timed out") || message.contains("timeout")) {
      return TIMED_OUT;
    }
    boolean closed =
        Stream.of("closed by peer", "connection reset", "broken pipe", "refused", "remote_error")
            .anyMatch(message::contains);
    return closed ? CLOSED : UNKNOWN;
  }
}
