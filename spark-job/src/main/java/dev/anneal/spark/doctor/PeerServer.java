package dev.anneal.spark.doctor;

import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** Lets the other executors connect, and counts what they send. */
final class PeerServer implements AutoCloseable {
  private static final int SILENCE_MILLIS = 5_000;
  private static final int BUFFER_BYTES = 1 << 20;

  private final ServerSocket server;

  private PeerServer(ServerSocket server) {
    this.server = server;
  }

  /** Listens at the address that Spark knows this host by, on a port that the system chooses. */
  static PeerServer open(String host) throws IOException {
    ServerSocket server = new ServerSocket();
    try {
      server.bind(new InetSocketAddress(host, 0));
    } catch (IOException | RuntimeException e) {
      server.close();
      throw e;
    }
    PeerServer peers = new PeerServer(server);
    start(peers::accept);
    return peers;
  }

  int port() {
    return server.getLocalPort();
  }

  private static void start(Runnable work) {
    Thread thread = new Thread(work, "doctor-peer");
    thread.setDaemon(true);
    thread.start();
  }

  private void accept() {
    try {
      while (true) {
        Socket peer = server.accept();
        start(() -> count(peer));
      }
    } catch (IOException closed) {
      // nobody comes any more
    }
  }

  /** Answers with the number of bytes that came. */
  private static void count(Socket peer) {
    try (peer) {
      peer.setSoTimeout(SILENCE_MILLIS);
      InputStream in = peer.getInputStream();
      byte[] buffer = new byte[BUFFER_BYTES];
      long bytes = 0;
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        bytes += n;
      }
      new DataOutputStream(peer.getOutputStream()).writeLong(bytes);
    } catch (IOException broken) {
      // whoever sent it sees that no answer comes
    }
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
