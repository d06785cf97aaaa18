package dev.anneal.spark.train;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.RendezvousStore;
import dev.anneal.training.collective.SingleRank;
import java.time.Duration;
import org.apache.spark.BarrierTaskContext;

/** The place where the ranks of a barrier stage have met: their collectives and rank 0's store. */
record Rendezvous(RendezvousStore store, Collectives collectives) implements AutoCloseable {

  /** Meets the other ranks at rank 0's store, whose address goes round through Spark. */
  static Rendezvous join(BarrierTaskContext context, Duration timeout) {
    int worldSize = context.getTaskInfos().length;
    if (worldSize == 1) {
      return new Rendezvous(null, new SingleRank());
    }
    int rank = context.partitionId();
    String host = host(context);
    RendezvousStore store = store(context, rank, host, timeout);
    try {
      return new Rendezvous(store, GlooCollectives.join(store, host, rank, worldSize, timeout));
    } catch (Throwable e) {
      store.close();
      throw e;
    }
  }

  /** The address of this rank's host that Spark uses. */
  static String host(BarrierTaskContext context) {
    String address = context.getTaskInfos()[context.partitionId()].address();
    // an IPv6 address has colons of its own, so the port is behind the last one
    int port = address.lastIndexOf(':');
    return port < 0 ? address : address.substring(0, port).replaceAll("[\\[\\]]", "");
  }

  private static RendezvousStore store(
      BarrierTaskContext context, int rank, String host, Duration timeout) {
    if (rank == 0) {
      RendezvousStore store = RendezvousStore.serve(host, timeout);
      try {
        context.allGather(host + " " + store.port());
        return store;
      } catch (Throwable e) {
        store.close();
        throw e;
      }
    }
    String[] address = context.allGather("")[0].split(" ", 2);
    return RendezvousStore.connect(address[0], Integer.parseInt(address[1]), timeout);
  }

  @Override
  public void close() {
    collectives.close();
    if (store != null) {
      store.close();
    }
  }
}
