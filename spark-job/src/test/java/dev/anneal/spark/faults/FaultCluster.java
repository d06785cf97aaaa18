package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.Network.Host;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A standalone Spark cluster of the embedded Spark's jars: the master, and the driver of every run,
 * on one host, and a worker on each of the others, which has one core and so one executor a run.
 */
final class FaultCluster implements AutoCloseable {
  static final Path HOME = Path.of(System.getProperty("anneal.home"));

  private static final Duration START = Duration.ofMinutes(1);
  private static final Duration A_MOMENT = Duration.ofSeconds(15);
  private static final long DISK_BYTES = 32 * 1024 * 1024;
  private static final int FIRST_NODE = 10;
  private static final int MASTER_PORT = 7077;
  // after which the master takes a silent worker for lost, in seconds
  private static final int WORKER_TIMEOUT = 10;

  /** Processes that live for seconds spend most of their time on the second compiler. */
  private static final String SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

  private final Path folder;
  private final Network network;
  private final List<Node> nodes = new ArrayList<>();

  private FaultCluster(Path folder, Network network) {
    this.folder = folder;
    this.network = network;
  }

  /**
   * Starts a cluster; returns when every worker is known to the master.
   *
   * @param folder for its logs and its executors' files
   */
  static FaultCluster start(Path folder, int workers) throws Exception {
    FaultCluster cluster = new FaultCluster(folder, Network.create());
    try {
      cluster.lay();
      // namespaces see what is mounted before they are made
      Files.createDirectory(cluster.sharedDisk());
      Shell.run("mount -t tmpfs -o size=%s tmpfs %s".formatted(DISK_BYTES, cluster.sharedDisk()));
      cluster.daemon(
          cluster.network.head(),
          "deploy.master.Master",
          List.of("--port", Integer.toString(MASTER_PORT)));
      for (int i = 0; i < workers; i++) {
        cluster.addNode(i);
      }
      for (int i = 0; i < workers; i++) {
        awaitRegistered(cluster.log(cluster.nodes.get(i).host()));
      }
      return cluster;
    } catch (Exception | AssertionError e) {
      cluster.close();
      throw e;
    }
  }

  List<Node> nodes() {
    return nodes;
  }

  Network network() {
    return network;
  }

  /** Where the embedded Spark's daemons and executors log and keep their files. */
  Path folder() {
    return folder;
  }

  /** A small disk that the driver's host and all nodes see. */
  Path sharedDisk() {
    return folder.resolve("disk");
  }

  /** The executors of every node that run now. */
  List<ProcessHandle> executors() {
    return nodes.stream().flatMap(node -> node.executors().stream()).toList();
  }

  /** Asserts that soon no executor runs anywhere: each sees that its driver is gone. */
  void assertNoExecutors() throws Exception {
    Await.until(A_MOMENT, () -> "executors are left: " + executors(), () -> executors().isEmpty());
  }

  /** The node that an executor runs on. */
  Node nodeOf(ProcessHandle executor) {
    return nodes.stream()
        .filter(node -> node.executors().contains(executor))
        .findFirst()
        .orElseThrow();
  }

  /**
   * Starts {@code submit.sh} on the head, against this cluster.
   *
   * @param javaOptions for all its JVMs
   */
  SubmittedJob submit(Path workingFolder, List<String> args, String javaOptions)
      throws IOException {
    List<String> all = new ArrayList<>(args);
    all.addAll(List.of("--master", master()));
    all.addAll(List.of("--conf", "spark.executor.cores=1", "--conf", "spark.executor.memory=1g"));
    all.addAll(javaOptions(javaOptions));
    ProcessBuilder place = network.head().process(List.of());
    place.environment().remove("SPARK_HOME");
    return SubmittedJob.start(workingFolder, place, all);
  }

  /** What lets JVMs start faster that live for seconds, and {@code more} for all of them. */
  static List<String> javaOptions(String more) {
    String options = "%s %s".formatted(SHORT_LIVED, more).strip();
    return List.of(
        "--driver-java-options", options, "--conf", "spark.executor.extraJavaOptions=" + options);
  }

  /** The folders of a Spark installation, with the embedded Spark's jars. */
  private void lay() throws IOException {
    Path jars = HOME.resolve("spark-job/target/spark-home/jars");
    assertThat(jars).as("the embedded Spark, which Maven's phase package lays out").exists();
    Files.createSymbolicLink(folder.resolve("jars"), jars);
    Files.writeString(
        Files.createDirectory(folder.resolve("conf")).resolve("log4j2.properties"),
        """
        rootLogger.level = warn
        rootLogger.appenderRef.console.ref = console
        appender.console.type = Console
        appender.console.name = console
        appender.console.target = SYSTEM_ERR
        appender.console.layout.type = PatternLayout
        appender.console.layout.pattern = %s{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
        logger.deploy.name = org.apache.spark.deploy
        logger.deploy.level = info
        """);
  }

  private void addNode(int index) throws IOException {
    Host host = network.add(FIRST_NODE + index);
    Path work = folder.resolve("work-" + host.address());
    Path disk = Files.createDirectory(folder.resolve("local-" + host.address()));
    List<String> args =
        List.of("--cores", "1", "--memory", "1g", "--work-dir", work.toString(), master());
    nodes.add(new Node(host, daemon(host, "deploy.worker.Worker", args), disk));
  }

  private String master() {
    return "spark://%s:%s".formatted(network.head().address(), MASTER_PORT);
  }

  private Process daemon(Host host, String main, List<String> args) throws IOException {
    List<String> command = new ArrayList<>(List.of("java", "-Xmx256m"));
    command.addAll(List.of(SHORT_LIVED.split(" ")));
    for (String opened : List.of("java.lang", "java.nio", "sun.nio.ch")) {
      command.add("--add-opens=java.base/%s=ALL-UNNAMED".formatted(opened));
    }
    command.add("-Dspark.worker.timeout=" + WORKER_TIMEOUT);
    command.add("-Dspark.deploy.maxExecutorRetries=-1");
    command.addAll(List.of("-cp", folder.resolve("conf") + ":" + folder.resolve("jars/*")));
    command.add("org.apache.spark." + main);
    command.addAll(List.of("--host", host.address(), "--webui-port", "0"));
    command.addAll(args);
    ProcessBuilder builder =
        host.process(command).redirectErrorStream(true).redirectOutput(log(host).toFile());
    builder.environment().put("SPARK_HOME", folder.toString());
    builder.environment().put("SPARK_CONF_DIR", folder.resolve("conf").toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.environment().put("SPARK_LOCAL_DIRS", folder.resolve("local-" + host.address()) + "");
    return builder.start();
  }

  private Path log(Host host) {
    return folder.resolve(host.address() + ".log");
  }

  private static void awaitRegistered(Path log) throws Exception {
    Await.until(
        START,
        () -> "no worker registered: " + Files.readString(log),
        () -> Files.readString(log).contains("Successfully registered with master"));
  }

  /** Ends every process on every host and takes the hosts away. */
  @Override
  public void close() {
    network.close();
    Shell.attempt("umount -l " + sharedDisk());
  }
}
