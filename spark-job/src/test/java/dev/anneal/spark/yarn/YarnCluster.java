package dev.anneal.spark.yarn;

import static java.util.Locale.ROOT;

import dev.anneal.spark.HdfsServer;
import dev.anneal.spark.ServerProcess;
import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.UnchangedSpark;
import dev.anneal.spark.faults.Await;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.NodeState;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.conf.YarnConfiguration;

/**
 * Hadoop on this machine, each of its daemons a process: HDFS with the bundled model, a resource
 * manager, and two node managers that start containers as processes. Applications are submitted
 * with an unchanged Spark.
 */
final class YarnCluster implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofMinutes(3);
  private static final int NODES = 2;

  private final Path folder;
  private final HdfsServer hdfs;
  private final Deque<ServerProcess> daemons = new ArrayDeque<>();
  private final YarnClient client = YarnClient.createYarnClient();

  private YarnCluster(Path folder, HdfsServer hdfs) {
    this.folder = folder;
    this.hdfs = hdfs;
  }

  /**
   * Starts it; returns when every node is known to the resource manager.
   *
   * @param folder for its configuration, its logs and everything that containers write
   */
  static YarnCluster start(Path folder) throws Exception {
    YarnCluster cluster = new YarnCluster(folder, HdfsServer.start(folder));
    try {
      cluster.startYarn();
      return cluster;
    } catch (Exception | AssertionError e) {
      cluster.close();
      throw e;
    }
  }

  HdfsServer hdfs() {
    return hdfs;
  }

  /** Everything that it and its containers write lies below. */
  Path folder() {
    return folder;
  }

  /**
   * Starts {@code submit.sh} with {@code --master yarn}.
   *
   * @param tag by which {@link #application} finds it
   */
  SubmittedJob submit(String tag, List<String> words) throws Exception {
    String spark = UnchangedSpark.home("4.1").toString();
    List<String> all = new ArrayList<>(words);
    all.addAll(List.of("--master", "yarn", "--conf", "spark.yarn.tags=" + tag));
    // on every node already, since the nodes are this machine
    all.addAll(List.of("--conf", "spark.yarn.jars=local:" + spark + "/jars/*"));
    Map<String, String> environment =
        Map.of("SPARK_HOME", spark, "HADOOP_CONF_DIR", conf() + "", "SPARK_LOCAL_IP", "127.0.0.1");
    return SubmittedJob.start(folder, environment, all.toArray(String[]::new));
  }

  /** Waits until there is an application with this tag. */
  YarnApplication application(String tag, SubmittedJob job) throws Exception {
    Await.until(
        PATIENCE,
        () -> "no application: " + job.out() + job.err(),
        () -> !applications(tag).isEmpty());
    return new YarnApplication(client, applications(tag).get(0).getApplicationId());
  }

  /** What there is with this tag. */
  List<ApplicationReport> applications(String tag) throws Exception {
    return client.getApplications(
        Set.of("SPARK"), EnumSet.allOf(YarnApplicationState.class), Set.of(tag.toLowerCase(ROOT)));
  }

  /** What {@code yarn logs -applicationId} prints: every log of every container that has ended. */
  String logs(YarnApplication application) throws IOException, InterruptedException {
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin/java").toString(),
            "-cp",
            classPath(),
            "org.apache.hadoop.yarn.client.cli.LogsCLI",
            "-applicationId",
            application.id().toString());
    Path out = Files.createTempFile(folder, "logs", ".txt");
    new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(out.toFile())
        .start()
        .waitFor();
    return Files.readString(out);
  }

  private void startYarn() throws Exception {
    HadoopConf.write(Files.createDirectory(conf()), hdfs);
    YarnConfiguration yarn = new YarnConfiguration();
    yarn.addResource(new org.apache.hadoop.fs.Path(conf().resolve("yarn-site.xml").toUri()));
    InetSocketAddress manager =
        yarn.getSocketAddr(
            YarnConfiguration.RM_ADDRESS,
            YarnConfiguration.DEFAULT_RM_ADDRESS,
            YarnConfiguration.DEFAULT_RM_PORT);
    daemon("resourcemanager.ResourceManager", "resourcemanager", manager.getPort(), List.of());
    for (int i = 0; i < NODES; i++) {
      Path node = folder.resolve("node-" + i);
      int port = ServerProcess.freePort();
      List<String> settings =
          List.of(
              "-Dyarn.nodemanager.local-dirs=" + node.resolve("local"),
              "-Dyarn.nodemanager.log-dirs=" + node.resolve("logs"),
              "-Dyarn.nodemanager.webapp.address=127.0.0.1:" + port);
      daemon("nodemanager.NodeManager", "node-" + i, port, settings);
    }
    client.init(yarn);
    client.start();
    Await.until(
        PATIENCE,
        () -> "not every node registered: see the logs in " + folder,
        () -> client.getNodeReports(NodeState.RUNNING).size() == NODES);
    hdfs.putRecipe();
  }

  private void daemon(String main, String log, int port, List<String> settings)
      throws IOException, InterruptedException {
    List<String> words =
        new ArrayList<>(
            List.of(
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                // its web pages are made with a Guice that is older than Java 17
                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                "-cp",
                classPath(),
                "org.apache.hadoop.yarn.server." + main));
    words.addAll(settings);
    daemons.push(ServerProcess.start(port, folder.resolve(log + ".log"), words));
  }

  private String classPath() {
    return conf() + ":" + HdfsServer.hadoopJars();
  }

  private Path conf() {
    return folder.resolve("conf");
  }

  @Override
  public void close() {
    client.stop();
    // the nodes first, and with them their containers
    daemons.forEach(ServerProcess::close);
    hdfs.close();
  }
}
