package dev.anneal.training.collective.rendezvous;

import dev.anneal.training.collective.CollectiveException;
import java.util.Arrays;

/**
 * Makes sure that the ranks at the other ends of a group's connections are those of this run: Gloo
 * itself believes whoever connects first. Every pair of ranks exchanges nonces and then the HMACs
 * of them, before anything else is sent.
 */
public final class PeerProof {

  /** Sends part {@code r} to rank {@code r}; gives what every rank has sent, in their order. */
  public interface Exchange {
    byte[] exchange(byte[] parts);
  }

  private PeerProof() {}

  /**
   * To be called by every rank of the group.
   *
   * @throws CollectiveException if a peer does not know the secret
   */
  public static void require(SharedSecret secret, int rank, int worldSize, Exchange exchange) {
    byte[] ours = new byte[worldSize * SharedSecret.BYTES];
    for (int peer = 0; peer < worldSize; peer++) {
      put(ours, peer, SharedSecret.nonce());
    }
    byte[] theirs = exchange.exchange(ours);
    byte[] proofs = new byte[worldSize * SharedSecret.BYTES];
    for (int peer = 0; peer < worldSize; peer++) {
      put(proofs, peer, secret.prove(pair(rank, peer), part(theirs, peer), part(ours, peer)));
    }
    byte[] answers = exchange.exchange(proofs);
    for (int peer = 0; peer < worldSize; peer++) {
      if (!secret.isProof(
          part(answers, peer), pair(peer, rank), part(ours, peer), part(theirs, peer))) {
        throw new CollectiveException(
            "Rank %s met a stranger in the place of rank %s: keep others off the network of the nodes, and start again."
                .formatted(rank, peer),
            null);
      }
    }
  }

  private static String pair(int from, int to) {
    return "rank " + from + " to rank " + to;
  }

  private static void put(byte[] parts, int peer, byte[] part) {
    System.arraycopy(part, 0, parts, peer * SharedSecret.BYTES, SharedSecret.BYTES);
  }

  private static byte[] part(byte[] parts, int peer) {
    return Arrays.copyOfRange(parts, peer * SharedSecret.BYTES, (peer + 1) * SharedSecret.BYTES);
  }
}
