package dev.anneal.spark.faults;

import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Hosts of a network of its own: a network namespace each, with an address, behind one bridge. The
 * bridge lies in the namespace of the first, so nothing of the machine's own network changes, and
 * all of it goes with the namespaces.
 */
final class Network implements AutoCloseable {
  // an interface has it too, whose name has 15 characters at most
  private static final String PREFIX = "anneal-";
  private static final String BRIDGE = "br0";
  private static final Pattern NAMESPACE = Pattern.compile(PREFIX + "(\\d+)-.+");

  private static final long PID = ProcessHandle.current().pid();

  private final String name = PREFIX + PID;
  // one of its own, because a network may be joined by this process's host
  private final String subnet = "10.99.%s.".formatted(PID % 256);
  private final List<String> namespaces = new ArrayList<>();

  private Network() {}

  /**
   * Makes a network with its first host.
   *
   * @throws IllegalStateException if this process may not: it takes root and iproute2
   */
  static Network create() {
    removeAbandoned();
    Network network = new Network();
    try {
      String head = network.addNamespace("head");
      Shell.run("ip -n %s link add %s type bridge".formatted(head, BRIDGE));
      Shell.run("ip -n %s addr add %s1/24 dev %s".formatted(head, network.subnet, BRIDGE));
      Shell.run("ip -n %s link set %s up".formatted(head, BRIDGE));
      return network;
    } catch (RuntimeException e) {
      network.close();
      throw e;
    }
  }

  /** Why this process may make no network; empty where it may. */
  static Optional<String> refusal() {
    try {
      create().close();
      return Optional.empty();
    } catch (RuntimeException e) {
      return Optional.of(e.getMessage());
    }
  }

  Host head() {
    return new Host(namespaces.get(0), subnet + 1);
  }

  /** Adds a host; its number is the last of its address and 10 or more. */
  Host add(int number) {
    String namespace = addNamespace("n" + number);
    String address = subnet + number;
    Shell.run(
        "ip -n %s link add n%s type veth peer name eth0 netns %s"
            .formatted(namespaces.get(0), number, namespace));
    Shell.run("ip -n %s link set n%s master %s up".formatted(namespaces.get(0), number, BRIDGE));
    Shell.run("ip -n %s addr add %s/24 dev eth0".formatted(namespace, address));
    Shell.run("ip -n %s link set eth0 up".formatted(namespace));
    return new Host(namespace, address);
  }

  /** Gives this process's own host an address on the network, and returns it. */
  InetAddress join() {
    String head = namespaces.get(0);
    Shell.run(
        "ip -n %s link add outside type veth peer name %s netns %s".formatted(head, name, PID));
    Shell.run("ip -n %s link set outside master %s up".formatted(head, BRIDGE));
    Shell.run("ip addr add %s254/24 dev %s".formatted(subnet, name));
    Shell.run("ip link set %s up".formatted(name));
    try {
      return InetAddress.getByName(subnet + 254);
    } catch (UnknownHostException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A host's packets go nowhere from now on, and nobody is told. */
  void cut(Host host) {
    Shell.run("ip -n %s link set %s down".formatted(namespaces.get(0), port(host)));
  }

  /** Brings a host back. */
  void heal(Host host) {
    Shell.run("ip -n %s link set %s up".formatted(namespaces.get(0), port(host)));
  }

  private static String port(Host host) {
    return "n" + host.address().substring(host.address().lastIndexOf('.') + 1);
  }

  private String addNamespace(String host) {
    String namespace = name + "-" + host;
    Shell.run("ip netns add " + namespace);
    namespaces.add(namespace);
    Shell.run("ip -n %s link set lo up".formatted(namespace));
    return namespace;
  }

  /** Ends every process of every host, and takes the network away. */
  @Override
  public void close() {
    namespaces.forEach(Network::remove);
    namespaces.clear();
  }

  /** What a test process has left that was killed. */
  private static void removeAbandoned() {
    for (String line : Shell.run("ip netns list").lines().toList()) {
      String namespace = line.split(" ", 2)[0];
      Matcher ours = NAMESPACE.matcher(namespace);
      if (ours.matches() && ProcessHandle.of(Long.parseLong(ours.group(1))).isEmpty()) {
        remove(namespace);
      }
    }
  }

  private static void remove(String namespace) {
    try {
      for (String pid : Shell.run("ip netns pids " + namespace).lines().toList()) {
        ProcessHandle.of(Long.parseLong(pid))
            .ifPresent(
                process -> {
                  process.destroyForcibly();
                  process.onExit().join();
                });
      }
    } catch (IllegalStateException gone) {
      // another test process has removed it meanwhile
    }
    Shell.attempt("ip netns delete " + namespace);
  }

  /** Whoever lives in one namespace. */
  record Host(String namespace, String address) {

    /** Runs a command there; the environment tells Spark the host's address. */
    ProcessBuilder process(List<String> command) {
      List<String> words = new ArrayList<>(List.of("ip", "netns", "exec", namespace));
      words.addAll(command);
      ProcessBuilder builder = new ProcessBuilder(words);
      builder.environment().put("SPARK_LOCAL_IP", address);
      builder.environment().put("SPARK_LOCAL_HOSTNAME", address);
      return builder;
    }
  }
}
