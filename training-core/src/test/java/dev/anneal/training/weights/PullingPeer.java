package dev.anneal.training.weights;

import dev.anneal.training.JavaProcess;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.NcclCollectives;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.StoreAddress;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Rank 1 of 2 in a process of its own. */
final class PullingPeer {
  static final String HOST = "127.0.0.1";

  /** What it prints when it is about to join its group. */
  static final String CONNECTED = "connected";

  /** The last argument of one that checks layers, whatever dtype and ratio are. */
  static final String CHECK = "check";

  /** The last argument of one that checks embedding and head. */
  static final String VOCABULARY = "vocabulary";

  /** What it prints when it has stopped. */
  static final String IDLE = "idle";

  private PullingPeer() {}

  /**
   * Starts it.
   *
   * @param log what it prints
   * @param task dtype and what follows it in {@link #main}
   */
  static JavaProcess start(Path log, RendezvousStore store, Duration timeout, List<String> task)
      throws IOException {
    List<String> arguments = new ArrayList<>();
    arguments.add(store.address().toText());
    arguments.add(Long.toString(timeout.toSeconds()));
    arguments.addAll(task);
    return JavaProcess.start(PullingPeer.class, log, JavaProcess.WITH_LIBTORCH, arguments);
  }

  /**
   * Runs the rank.
   *
   * @param args address of rank 0's store, timeout in seconds, dtype, offload ratio, and {@link
   *     #CHECK} to go through all layers in all ways or {@code idle} to stop after the first; or
   *     hidden size in place of the ratio, and {@link #VOCABULARY}
   */
  public static void main(String[] args) throws InterruptedException {
    Duration timeout = Duration.ofSeconds(Long.parseLong(args[1]));
    Gpus.require(1);
    Device device = NcclPair.gpuOfProcess(1);
    Gpus.bind(device);
    try (RendezvousStore store = RendezvousStore.connect(StoreAddress.parse(args[0]), timeout)) {
      System.out.println(CONNECTED);
      try (Collectives shard = NcclCollectives.join(store, "shard", device, 1, 2, timeout);
          TensorScope scope = new TensorScope()) {
        DType dtype = DType.valueOf(args[2]);
        if (args[4].equals(VOCABULARY)) {
          PulledVocabularyGpuTest.check(shard, device, dtype, Integer.parseInt(args[3]));
          return;
        }
        if (args[4].equals(CHECK)) {
          PulledLayers.checkAll(shard, device);
          return;
        }
        double ratio = Double.parseDouble(args[3]);
        FrozenLayers frozen = PulledLayers.load(shard, device, dtype, ratio, Transport.PEERS);
        frozen.use(0, FrozenLayers.NONE);
        System.out.println(IDLE);
        Thread.sleep(Duration.ofMinutes(5).toMillis());
      }
    }
  }
}
