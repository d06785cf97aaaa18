package dev.anneal.training.collective.rendezvous;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnknownHostException;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * A listening TCP socket on the loopback interface that native code takes over by its descriptor.
 * Java has no way to give descriptors away, so Linux is asked for it, and {@link #channel} is never
 * closed in Java: whoever takes the descriptor closes it.
 */
record Loopback(ServerSocketChannel channel, int descriptor, int port) {
  static final InetAddress ADDRESS = address();

  private static final int BACKLOG = 1024;
  private static final String LISTENING = "0A";

  /** Listens on a port that the system chooses. */
  static Loopback listen() throws IOException {
    ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.INET);
    try {
      channel.bind(new InetSocketAddress(ADDRESS, 0), BACKLOG);
      int port = ((InetSocketAddress) channel.getLocalAddress()).getPort();
      return new Loopback(channel, descriptor(inode(port)), port);
    } catch (IOException e) {
      channel.close();
      throw e;
    }
  }

  /** Of the listening socket, out of the kernel's table of them. */
  private static String inode(int port) throws IOException {
    String local = String.format(Locale.ROOT, "0100007F:%04X", port);
    try (Stream<String> sockets = Files.lines(Path.of("/proc/self/net/tcp"))) {
      return sockets
          .map(line -> line.strip().split("\\s+", -1))
          .filter(columns -> columns[1].equals(local) && columns[3].equals(LISTENING))
          .map(columns -> columns[9])
          .findFirst()
          .orElseThrow(() -> new IOException("the kernel does not list port " + port));
    }
  }

  private static int descriptor(String inode) throws IOException {
    String socket = "socket:[" + inode + "]";
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors
          .filter(descriptor -> target(descriptor).equals(socket))
          .map(descriptor -> Integer.parseInt(descriptor.getFileName().toString()))
          .findFirst()
          .orElseThrow(() -> new IOException("this process has no descriptor of " + socket));
    }
  }

  private static String target(Path link) {
    try {
      return Files.readSymbolicLink(link).toString();
    } catch (IOException e) {
      // closed since it was listed
      return "";
    }
  }

  private static InetAddress address() {
    try {
      return InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
    } catch (UnknownHostException e) {
      throw new IllegalStateException("four bytes are an address", e);
    }
  }
}
