package dev.anneal.spark.yarn;

import dev.anneal.spark.HdfsServer;
import dev.anneal.spark.ServerProcess;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;

/**
 * What a YARN cluster of one machine is told, and its clients: the folder of {@code
 * HADOOP_CONF_DIR}.
 */
final class HadoopConf {
  private HadoopConf() {}

  /** Writes the files that Hadoop looks for into {@code folder}. */
  static void write(Path folder, HdfsServer hdfs) throws IOException {
    Configuration core = new Configuration(false);
    core.set("fs.defaultFS", hdfs.uri(""));
    core.set("hadoop.tmp.dir", folder.resolveSibling("tmp").toString());
    write(core, folder.resolve("core-site.xml"));

    Configuration files = new Configuration(false);
    files.setInt("dfs.replication", 1);
    write(files, folder.resolve("hdfs-site.xml"));

    write(yarn(), folder.resolve("yarn-site.xml"));

    Configuration queues = new Configuration(false);
    String prefix = "yarn.scheduler.capacity.";
    queues.set(prefix + "root.queues", "default");
    queues.set(prefix + "root.default.capacity", "100");
    queues.set(prefix + "maximum-am-resource-percent", "1.0");
    write(queues, folder.resolve("capacity-scheduler.xml"));
  }

  private static Configuration yarn() throws IOException {
    Configuration yarn = new Configuration(false);
    List<String> services = List.of("", "scheduler.", "resource-tracker.", "admin.", "webapp.");
    List<Integer> ports = ServerProcess.freePorts(services.size());
    for (int i = 0; i < services.size(); i++) {
      String key = "yarn.resourcemanager." + services.get(i) + "address";
      yarn.set(key, "127.0.0.1:" + ports.get(i));
    }
    for (String service : new String[] {"", "localizer.", "webapp."}) {
      yarn.set("yarn.nodemanager." + service + "address", "127.0.0.1:0");
    }
    Map.of(
            "scheduler.minimum-allocation-mb", "128",
            "nodemanager.resource.memory-mb", "4096",
            "nodemanager.resource.cpu-vcores", "4",
            "nodemanager.pmem-check-enabled", "false",
            "nodemanager.vmem-check-enabled", "false",
            "nodemanager.disk-health-checker.enable", "false",
            "nodemanager.admin-env", "JAVA_HOME=" + System.getProperty("java.home"),
            "log-aggregation-enable", "true")
        .forEach((key, value) -> yarn.set("yarn." + key, value));
    return yarn;
  }

  private static void write(Configuration conf, Path file) throws IOException {
    try (OutputStream out = Files.newOutputStream(file)) {
      conf.writeXml(out);
    }
  }
}
