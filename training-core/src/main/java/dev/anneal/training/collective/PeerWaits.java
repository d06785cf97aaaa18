package dev.anneal.training.collective;

/**
 * What this rank's streams wait for of their peers by other means than a group's calls. The group
 * watches over it: what ends one of them ends the other.
 */
public interface PeerWaits {

  /** Whether a peer has ended them. Any thread may ask. */
  boolean areEnded();

  /** Whether what is read of peers may be void: a peer has ended them or is gone without a word. */
  boolean areVoid();

  /** Frees the streams; called when the group ends, from any thread. It does not wait. */
  void release();
}
