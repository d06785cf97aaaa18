package dev.anneal.spark.fetch;

import dev.anneal.data.hub.Patience;
import java.io.Serializable;

/**
 * How files are fetched.
 *
 * @param partBytes what a connection fetches at a time, and what a killed process loses of each at
 *     most
 */
record FetchSettings(Patience patience, long partBytes) implements Serializable {
  private static final long serialVersionUID = 1L;

  static final FetchSettings USUAL = new FetchSettings(Patience.USUAL, 32L << 20);

  FetchSettings withPartsOf(long bytes) {
    return new FetchSettings(patience, bytes);
  }
}
