package dev.anneal.spark.kubernetes;

import io.fabric8.mockwebserver.MockWebServer;
import java.net.InetAddress;

/** The API of a Kubernetes cluster, on this machine alone: a process of its own. */
final class KubernetesApi {
  private KubernetesApi() {}

  /** Listens on the port that is the only argument, until it is killed. */
  public static void main(String[] args) {
    MockWebServer server = new MockWebServer();
    server.setDispatcher(new ApiDispatcher());
    server.start(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0]));
  }
}
