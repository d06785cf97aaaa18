package dev.anneal.training.collective.rendezvous;

import dev.anneal.training.collective.GlooCollectives;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** Both ranks of a group in a process of its own, which meet and then wait. */
final class ServingRanks {
  private ServingRanks() {}

  /**
   * Runs them.
   *
   * @param args host to serve on, file to write when they have met
   */
  public static void main(String[] args) throws Exception {
    Duration timeout = Duration.ofSeconds(30);
    try (RendezvousStore store = RendezvousStore.serve(args[0], timeout);
        RendezvousStore other = RendezvousStore.connect(store.address(), timeout)) {
      CompletableFuture<GlooCollectives> second =
          CompletableFuture.supplyAsync(() -> GlooCollectives.join(other, args[0], 1, 2, timeout));
      try (GlooCollectives first = GlooCollectives.join(store, args[0], 0, 2, timeout)) {
        second.join();
        Files.writeString(Path.of(args[1]), store.address().toString());
        Thread.sleep(Duration.ofMinutes(5).toMillis());
      }
    }
  }
}
