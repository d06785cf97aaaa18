package dev.anneal.spark.doctor;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import org.apache.spark.BarrierTaskContext;

/** Whether the executors of a barrier stage reach each other, and how fast. */
final class NetworkChecks {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final Duration SENDING = Duration.ofSeconds(1);
  private static final long MOST_BYTES = 4L << 30;
  private static final int PATIENCE_MILLIS = 5_000;
  private static final int BUFFER_BYTES = 1 << 20;
  private static final String NOWHERE = "-";

  private NetworkChecks() {}

  /** Adds them; every task of the stage has to come here. */
  static void addTo(Looks looks, BarrierTaskContext context, String host) throws IOException {
    PeerServer server = null;
    String cause = "";
    try {
      server = PeerServer.open(host);
    } catch (IOException | RuntimeException e) {
      cause = String.valueOf(e.getMessage());
    }
    try {
      List<String> peers =
          List.of(context.allGather(server == null ? NOWHERE : host + " " + server.port()));
      if (server == null) {
        looks.put("network", Finding.stopping(cannotListen(host, cause)));
      } else {
        add(looks, peers, context.partitionId());
      }
      // nobody leaves before the others have measured
      context.barrier();
    } finally {
      if (server != null) {
        server.close();
      }
    }
  }

  private static String cannotListen(String host, String cause) {
    return "This process cannot listen at %s (%s), where its peers would look for it: set SPARK_LOCAL_IP on the node to an address of its own."
        .formatted(host, cause);
  }

  private static void add(Looks looks, List<String> peers, int self) {
    if (peers.size() == 1) {
      looks.put("network", Finding.of("no peer"));
      return;
    }
    looks.require("network", LIMIT, () -> connect(peers, self), cause -> cause);
    looks.add("bandwidth", LIMIT, () -> send(peers.get((self + 1) % peers.size())));
  }

  private static String connect(List<String> peers, int self) throws IOException {
    int reached = 0;
    for (int i = 0; i < peers.size(); i++) {
      String peer = peers.get(i);
      if (i == self || peer.equals(NOWHERE)) {
        continue;
      }
      try {
        exchange(peer, 0);
        reached++;
      } catch (IOException e) {
        throw new IOException(
            "There is no connection to the peer at %s (%s): ranks listen on ports that the system chooses, so let the nodes reach each other on all of them."
                .formatted(peer.replace(' ', ':'), e.getMessage()),
            e);
      }
    }
    return "%s of %s peers".formatted(reached, peers.size() - 1);
  }

  private static String send(String peer) throws IOException {
    if (peer.equals(NOWHERE)) {
      throw new IOException("the next peer does not listen");
    }
    long start = System.nanoTime();
    long bytes = exchange(peer, MOST_BYTES);
    return Bytes.speed(bytes, System.nanoTime() - start);
  }

  /** Sends for as long as {@link #SENDING}, at most so many bytes; returns how many came. */
  private static long exchange(String peer, long most) throws IOException {
    String[] address = peer.split(" ", 2);
    try (Socket socket = new Socket()) {
      socket.connect(
          new InetSocketAddress(address[0], Integer.parseInt(address[1])), PATIENCE_MILLIS);
      socket.setSoTimeout(PATIENCE_MILLIS);
      OutputStream out = socket.getOutputStream();
      byte[] buffer = new byte[BUFFER_BYTES];
      long deadline = System.nanoTime() + SENDING.toNanos();
      for (long sent = 0; sent < most && System.nanoTime() < deadline; sent += buffer.length) {
        out.write(buffer);
      }
      socket.shutdownOutput();
      return new DataInputStream(socket.getInputStream()).readLong();
    }
  }
}
