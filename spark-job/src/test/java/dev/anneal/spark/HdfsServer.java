package dev.anneal.spark;

import dev.anneal.spark.faults.Await;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;

/** HDFS: a name node and a data node in a process of their own. */
public final class HdfsServer implements AutoCloseable {
  private static final Path TARGET = Path.of(System.getProperty("anneal.home"), "spark-job/target");
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  private final ServerProcess process;
  private final Storage storage;

  private HdfsServer(ServerProcess process) {
    this.process = process;
    Configuration hadoop = new Configuration();
    hadoop.setInt("dfs.replication", 1);
    this.storage = new Storage(hadoop);
  }

  /** Starts it with its blocks and its log in {@code folder}; returns when it takes files. */
  public static HdfsServer start(Path folder) throws Exception {
    int port = ServerProcess.freePort();
    // written when the data node is there
    Path started = folder.resolve("hdfs-started.json");
    List<String> words =
        List.of(
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            hadoopJars(),
            "org.apache.hadoop.test.MiniDFSClusterManager",
            "-datanodes",
            "1",
            "-nnport",
            Integer.toString(port),
            "-httpport",
            "0",
            "-format",
            "-D",
            "hdfs.minidfs.basedir=" + folder.resolve("blocks"),
            "-writeDetails",
            started.toString());
    HdfsServer server =
        new HdfsServer(ServerProcess.start(port, folder.resolve("hdfs.log"), words));
    try {
      Await.until(PATIENCE, () -> "no data node", () -> Files.exists(started));
      return server;
    } catch (Exception | AssertionError e) {
      server.close();
      throw e;
    }
  }

  /** The class path of Hadoop's daemons: what they need beside their jars is in Spark's. */
  public static String hadoopJars() {
    return "%s/hadoop-server/*:%s/spark-home/jars/*".formatted(TARGET, TARGET);
  }

  /** The URI of something on it; of its root for an empty path. */
  public String uri(String path) {
    return "hdfs://127.0.0.1:%s/%s".formatted(process.port(), path);
  }

  /** Reads and writes it. */
  public Storage storage() {
    return storage;
  }

  /** Puts the bundled model into {@code tiny/model}, its rows into {@code tiny}. */
  public void putRecipe() throws IOException {
    Path tiny = SubmittedJob.recipe().resolveSibling("tiny");
    put(tiny.resolve("instructions.json"), "tiny/instructions.json");
    try (Stream<Path> files = Files.list(tiny.resolve("model"))) {
      for (Path file : files.toList()) {
        put(file, "tiny/model/" + file.getFileName());
      }
    }
  }

  private void put(Path file, String path) throws IOException {
    storage.write(uri(path), out -> Files.copy(file, out));
  }

  @Override
  public void close() {
    process.close();
  }
}
