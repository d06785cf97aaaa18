package dev.anneal.training.collective;

import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.StoreAddress;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import java.time.Duration;

/** Rank 1 of 2 in a process of its own; does what the test asks for and then waits. */
final class NcclPeer {
  static final String HOST = "127.0.0.1";

  private NcclPeer() {}

  /**
   * Runs the rank.
   *
   * @param args address of rank 0's store, timeout in seconds, {@code calls} or {@code idle}
   */
  public static void main(String[] args) throws InterruptedException {
    Duration timeout = Duration.ofSeconds(Long.parseLong(args[1]));
    Device device = Device.gpu(1);
    Gpus.require(2);
    Gpus.bind(device);
    try (RendezvousStore store = RendezvousStore.connect(StoreAddress.parse(args[0]), timeout)) {
      store.meet("ready", 2, timeout);
      run(store, device, timeout, args[2]);
    }
  }

  private static void run(RendezvousStore store, Device device, Duration timeout, String task)
      throws InterruptedException {
    try (Collectives collectives = NcclCollectives.join(store, "world", device, 1, 2, timeout);
        TensorScope scope = new TensorScope()) {
      if (task.equals("calls")) {
        CollectiveCalls.check(collectives, device);
        return;
      }
      Thread.sleep(Duration.ofMinutes(5).toMillis());
    }
  }
}
