package dev.anneal.spark;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/** A server in a JVM of its own that listens on this machine alone. */
public final class ServerProcess implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Process process;
  private final int port;

  private ServerProcess(Process process, int port) {
    this.process = process;
    this.port = port;
  }

  /**
   * Starts {@code java} with these words; returns when something listens on {@code port}.
   *
   * @param log where it says what it says
   */
  public static ServerProcess start(int port, Path log, List<String> words)
      throws IOException, InterruptedException {
    return start(port, log, Map.of(), words);
  }

  /** The same with these environment variables in addition. */
  public static ServerProcess start(
      int port, Path log, Map<String, String> environment, List<String> words)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(words);
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().putAll(environment);
    ServerProcess server = new ServerProcess(builder.start(), port);
    try {
      server.awaitPort(log);
      return server;
    } catch (IOException | InterruptedException e) {
      server.close();
      throw e;
    }
  }

  /** A port that nobody listens on: see {@link #freePorts}. */
  public static int freePort() throws IOException {
    return freePorts(1).get(0);
  }

  /**
   * Different ports that nobody listens on. They are below those that the system gives to
   * connections (32768 to 60999 on Linux), one of which may take any of them before a server has
   * it.
   */
  public static List<Integer> freePorts(int count) throws IOException {
    List<ServerSocket> held = new ArrayList<>();
    try {
      for (int attempt = 0; held.size() < count; attempt++) {
        int port = ThreadLocalRandom.current().nextInt(20_000, 32_000);
        try {
          held.add(new ServerSocket(port, 1, InetAddress.getLoopbackAddress()));
        } catch (BindException taken) {
          if (attempt > 100 * count) {
            throw taken;
          }
        }
      }
      return held.stream().map(ServerSocket::getLocalPort).toList();
    } finally {
      for (ServerSocket socket : held) {
        socket.close();
      }
    }
  }

  /** Where it listens. */
  public int port() {
    return port;
  }

  /** The processes that it has started and that run now. */
  public List<ProcessHandle> processes() {
    return process.descendants().toList();
  }

  /** Ends it, and what it has started first: some of that would outlive it. */
  @Override
  public void close() {
    processes().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
    try {
      process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void awaitPort(Path log) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (process.isAlive() && System.nanoTime() < deadline) {
      try (Socket socket = new Socket()) {
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        return;
      } catch (IOException notYet) {
        Thread.sleep(50);
      }
    }
    throw new IOException("the server does not answer:\n" + Files.readString(log));
  }
}
