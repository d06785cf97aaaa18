package dev.anneal.spark.standalone;

import dev.anneal.spark.ServerProcess;
import dev.anneal.spark.UnchangedSpark;
import dev.anneal.spark.faults.Await;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;

/** A master and two workers with two cores each, of an unchanged Spark, on this machine. */
final class StandaloneCluster implements AutoCloseable {
  private static final Duration START = Duration.ofMinutes(2);

  private final Path folder;
  private final Path spark;
  private final int port;
  private final Deque<Process> daemons = new ArrayDeque<>();

  private StandaloneCluster(Path folder, Path spark, int port) {
    this.folder = folder;
    this.spark = spark;
    this.port = port;
  }

  /**
   * Starts it; returns when the master knows the workers.
   *
   * @param folder for logs, drivers and executors
   */
  static StandaloneCluster start(Path folder, String line) throws Exception {
    StandaloneCluster cluster =
        new StandaloneCluster(folder, UnchangedSpark.home(line), ServerProcess.freePort());
    try {
      cluster.daemon("master.Master", "--port", Integer.toString(cluster.port));
      for (String worker : List.of("1", "2")) {
        cluster.daemon(
            "worker.Worker",
            "--cores",
            "2",
            "--memory",
            "2500m",
            "--work-dir",
            cluster.work().resolve(worker).toString(),
            cluster.master());
      }
      Await.until(
          START,
          () -> "the workers do not register: " + cluster.log(),
          () -> cluster.log().split("Registering worker", -1).length == 3);
      return cluster;
    } catch (Exception | AssertionError e) {
      cluster.close();
      throw e;
    }
  }

  String master() {
    return "spark://127.0.0.1:" + port;
  }

  Path spark() {
    return spark;
  }

  /** What the master says. */
  String log() throws IOException {
    Path log = folder.resolve("master.Master.log");
    return Files.exists(log) ? Files.readString(log) : "";
  }

  /** What all drivers that ran on workers have printed. */
  String drivers() throws IOException {
    StringBuilder printed = new StringBuilder();
    try (Stream<Path> files = Files.walk(work())) {
      for (Path file : files.filter(each -> each.toString().contains("/driver-")).toList()) {
        if (file.endsWith("stdout") || file.endsWith("stderr")) {
          printed.append(Files.readString(file));
        }
      }
    }
    return printed.toString();
  }

  private Path work() {
    return folder.resolve("work");
  }

  private void daemon(String name, String... args) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
            spark.resolve("bin/spark-class").toString(),
            "org.apache.spark.deploy." + name,
            "--host",
            "127.0.0.1",
            "--webui-port",
            "0");
    builder.command().addAll(List.of(args));
    builder.redirectErrorStream(true);
    builder.redirectOutput(
        ProcessBuilder.Redirect.appendTo(folder.resolve(name + ".log").toFile()));
    builder.environment().put("SPARK_HOME", spark.toString());
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().put("SPARK_DAEMON_MEMORY", "256m");
    builder.environment().put("SPARK_LOCAL_DIRS", folder.resolve("local").toString());
    daemons.push(builder.start());
  }

  @Override
  public void close() {
    for (Process daemon : daemons) {
      daemon.descendants().forEach(ProcessHandle::destroyForcibly);
      daemon.destroyForcibly();
    }
  }
}
