package dev.anneal.spark.s3;

import dev.anneal.spark.s3.StoreRequest.Fate;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * A way to an S3 server that is as bad as it is told to be, and that keeps a record of what was
 * asked and of what became of it. Faults can be changed at any time and hold for the requests that
 * follow.
 */
public final class FaultyStore implements AutoCloseable {
  private final URI target;
  private final Queue<StoreRequest> requests = new ConcurrentLinkedQueue<>();
  private final Set<Socket> connections = ConcurrentHashMap.newKeySet();
  private final Set<String> expired = ConcurrentHashMap.newKeySet();
  private final Set<String> forbidden = ConcurrentHashMap.newKeySet();
  private final Random random = new Random(7);
  private final InetAddress address;
  private final int port;

  private volatile double failingShare;
  private volatile double breakingShare;
  private volatile Duration delay = Duration.ZERO;
  private volatile long bytesPerSecond = Long.MAX_VALUE;
  private volatile ServerSocket listener;

  private FaultyStore(URI target, InetAddress address) throws IOException {
    this.target = target;
    this.address = address;
    this.listener = listen(0);
    this.port = listener.getLocalPort();
    accept(listener);
  }

  /** Begins to listen, without a fault. */
  public static FaultyStore before(S3Server server) throws IOException {
    return before(server, InetAddress.getLoopbackAddress());
  }

  /** Begins to listen on an address of this host, without a fault. */
  public static FaultyStore before(S3Server server, InetAddress address) throws IOException {
    return new FaultyStore(server.endpoint(), address);
  }

  /** Where it listens. */
  public URI endpoint() {
    return URI.create("http://%s:%s".formatted(address.getHostAddress(), port));
  }

  /** Answers this share of the requests, 0 to 1, with 503 SlowDown. */
  public void failing(double share) {
    failingShare = share;
  }

  /** Breaks the connection in the middle of the body for this share of the requests, 0 to 1. */
  public void breaking(double share) {
    breakingShare = share;
  }

  /** Lets every request wait before it is passed on. */
  public void delaying(Duration duration) {
    delay = duration;
  }

  /** Passes on at most so many bytes a second and connection, each way. */
  public void limiting(long bandwidth) {
    bytesPerSecond = bandwidth;
  }

  /** Answers what this access key signs with 400 ExpiredToken from now on. */
  public void expire(String accessKey) {
    expired.add(accessKey);
  }

  /** Answers what this access key signs with 403 AccessDenied from now on. */
  public void forbid(String accessKey) {
    forbidden.add(accessKey);
  }

  /** Takes every access key again. */
  public void renew() {
    expired.clear();
    forbidden.clear();
  }

  /** Breaks all connections and refuses new ones. */
  public synchronized void goAway() throws IOException {
    listener.close();
    for (Socket connection : connections) {
      connection.close();
    }
  }

  /** Is there again. */
  public synchronized void comeBack() throws IOException {
    if (listener.isClosed()) {
      listener = listen(port);
      accept(listener);
    }
  }

  /** What was asked so far, in the order in which it came. */
  public List<StoreRequest> requests() {
    return List.copyOf(requests);
  }

  /** What was asked since the last call, and forgets it. */
  public List<StoreRequest> takeRequests() {
    List<StoreRequest> taken = new ArrayList<>();
    for (StoreRequest next = requests.poll(); next != null; next = requests.poll()) {
      taken.add(next);
    }
    return taken;
  }

  /** How many requests came to which end. */
  public Map<Fate, Long> fates() {
    return requests.stream()
        .collect(Collectors.groupingBy(StoreRequest::fate, Collectors.counting()));
  }

  /** How often each operation was asked for. */
  public Map<String, Long> operations(Predicate<StoreRequest> which) {
    return requests.stream()
        .filter(which)
        .collect(Collectors.groupingBy(StoreRequest::operation, Collectors.counting()));
  }

  /** Forgets what was asked so far. */
  public void forget() {
    requests.clear();
  }

  @Override
  public void close() throws IOException {
    goAway();
  }

  /** Decides what becomes of a request, and records both. */
  StoreRequest receive(String method, String target, Map<String, String> headers) {
    Fate fate = fateOf(StoreRequest.accessKey(headers));
    StoreRequest request = new StoreRequest(method, target, headers, fate);
    requests.add(request);
    return request;
  }

  private Fate fateOf(String accessKey) {
    if (expired.contains(accessKey)) {
      return Fate.EXPIRED;
    }
    if (forbidden.contains(accessKey)) {
      return Fate.FORBIDDEN;
    }
    double drawn;
    synchronized (random) {
      drawn = random.nextDouble();
    }
    if (drawn < failingShare) {
      return Fate.THROTTLED;
    }
    return drawn < failingShare + breakingShare ? Fate.BROKEN : Fate.PASSED;
  }

  Duration delay() {
    return delay;
  }

  long bytesPerSecond() {
    return bytesPerSecond;
  }

  private ServerSocket listen(int port) throws IOException {
    ServerSocket socket = new ServerSocket();
    socket.setReuseAddress(true);
    socket.bind(new InetSocketAddress(address, port));
    return socket;
  }

  private void accept(ServerSocket socket) {
    start(
        "faulty-store",
        () -> {
          while (!socket.isClosed()) {
            try {
              Socket client = socket.accept();
              start("faulty-store-connection", () -> serve(client));
            } catch (IOException closed) {
              return;
            }
          }
        });
  }

  private void serve(Socket client) {
    connections.add(client);
    try (client;
        Socket server = new Socket(target.getHost(), target.getPort())) {
      connections.add(server);
      try {
        new Relay(this, client, server).run();
      } finally {
        connections.remove(server);
      }
    } catch (IOException | InterruptedException broken) {
      // by either end, or on purpose
    } finally {
      connections.remove(client);
    }
  }

  private static void start(String name, Runnable work) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
  }
}
