package dev.anneal.training.collective;

/** A collective call failed: most often because a peer failed first. */
public final class CollectiveException extends RuntimeException {
  private final PeerLoss loss;

  /** The loss is what {@code cause} tells of it. */
  public CollectiveException(String message, Throwable cause) {
    this(message, cause, PeerLoss.of(cause));
  }

  CollectiveException(String message, Throwable cause, PeerLoss loss) {
    super(message, cause);
    this.loss = loss;
  }

  /** How the peer was lost, as far as this rank can tell. */
  public PeerLoss loss() {
    return loss;
  }
}
