package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.StoreAddress;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;

/** Rank 1 of 2, in a process of its own. */
final class PeerRank {
  static final String HOST = "127.0.0.1";

  /** What it reports of a scenario: the metrics of its steps. */
  static Path report(Path folder, Scenario scenario) {
    return folder.resolve(scenario + ".report");
  }

  /** There as soon as the process has reached the store of rank 0. */
  static Path connected(Path folder) {
    return folder.resolve("connected");
  }

  private PeerRank() {}

  /**
   * Runs the scenarios one after the other.
   *
   * @param args address of rank 0's store, timeout in seconds, folder for reports, scenarios
   */
  public static void main(String[] args) throws IOException {
    Duration timeout = Duration.ofSeconds(Long.parseLong(args[1]));
    Path folder = Path.of(args[2]);
    try (RendezvousStore store = RendezvousStore.connect(StoreAddress.parse(args[0]), timeout)) {
      Files.writeString(connected(folder), "");
      run(store, timeout, folder, args);
    }
  }

  private static void run(RendezvousStore store, Duration timeout, Path folder, String[] args)
      throws IOException {
    try (Collectives collectives = GlooCollectives.join(store, HOST, 1, 2, timeout)) {
      for (int i = 3; i < args.length; i++) {
        Scenario scenario = Scenario.valueOf(args[i]);
        RecordingListener listener = new RecordingListener();
        scenario.run(collectives, folder, listener);
        try (ObjectOutputStream out =
            new ObjectOutputStream(Files.newOutputStream(report(folder, scenario)))) {
          out.writeObject(new ArrayList<>(listener.steps()));
        }
      }
    }
  }
}
