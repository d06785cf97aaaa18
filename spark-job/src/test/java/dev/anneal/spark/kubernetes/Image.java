package dev.anneal.spark.kubernetes;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What every container is made of: an unchanged Spark in {@code /opt/spark} as Spark's own image
 * has it, and Anneal in {@code /opt/anneal}. Everything else is this machine's.
 *
 * @param sparkHome a Spark distribution
 * @param contents folders of this machine by their place in the image
 */
record Image(Path sparkHome, Map<String, Path> contents) {
  private static final String SPARK_HOME = "/opt/spark";
  private static final String JAVA_HOME = "/opt/java";

  /** The folders to mount, by their place. */
  Map<String, Path> mounts() {
    Map<String, Path> mounts = new TreeMap<>(contents);
    // not as a whole, since Spark mounts its configuration beside them
    for (String folder : List.of("bin", "jars", "sbin")) {
      mounts.put(SPARK_HOME + "/" + folder, sparkHome.resolve(folder));
    }
    mounts.put(JAVA_HOME, Path.of(System.getProperty("java.home")));
    return mounts;
  }

  /** The image's environment in a pod of this address. */
  Map<String, String> environment(String address) {
    return Map.of(
        "SPARK_HOME",
        SPARK_HOME,
        "JAVA_HOME",
        JAVA_HOME,
        "PATH",
        JAVA_HOME + "/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG",
        "C.UTF-8",
        // what a pod's own host name would resolve to
        "SPARK_LOCAL_IP",
        address);
  }

  /**
   * The command of a container that has only arguments, as {@code entrypoint.sh} of Spark's image
   * makes it of them and of the environment.
   *
   * @see <a
   *     href="https://github.com/apache/spark/blob/v4.1.0/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/entrypoint.sh">entrypoint.sh</a>
   */
  List<String> entrypoint(List<String> args, Map<String, String> environment) {
    List<String> rest = args.subList(1, args.size());
    return switch (args.get(0)) {
      case "driver" -> driver(rest, environment);
      case "executor" -> executor(environment);
      default -> args;
    };
  }

  private static List<String> driver(List<String> args, Map<String, String> environment) {
    List<String> command = new ArrayList<>(List.of(SPARK_HOME + "/bin/spark-submit"));
    String address = environment.get("SPARK_DRIVER_BIND_ADDRESS");
    command.addAll(List.of("--conf", "spark.driver.bindAddress=" + address));
    command.addAll(List.of("--deploy-mode", "client"));
    command.addAll(args);
    return command;
  }

  private static List<String> executor(Map<String, String> environment) {
    String memory = environment.get("SPARK_EXECUTOR_MEMORY");
    String configuration = environment.getOrDefault("SPARK_CONF_DIR", SPARK_HOME + "/conf");
    String classPath = environment.getOrDefault("SPARK_CLASSPATH", "");
    List<String> command = new ArrayList<>(List.of(environment.get("JAVA_HOME") + "/bin/java"));
    for (int i = 0; environment.containsKey("SPARK_JAVA_OPT_" + i); i++) {
      command.add(environment.get("SPARK_JAVA_OPT_" + i));
    }
    command.addAll(List.of("-Xms" + memory, "-Xmx" + memory));
    command.addAll(
        List.of("-cp", "%s:%s:%s/jars/*".formatted(configuration, classPath, SPARK_HOME)));
    command.add("org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend");
    command.addAll(List.of("--driver-url", environment.get("SPARK_DRIVER_URL")));
    command.addAll(List.of("--executor-id", environment.get("SPARK_EXECUTOR_ID")));
    command.addAll(List.of("--cores", environment.get("SPARK_EXECUTOR_CORES")));
    command.addAll(List.of("--app-id", environment.get("SPARK_APPLICATION_ID")));
    command.addAll(List.of("--hostname", environment.get("SPARK_EXECUTOR_POD_IP")));
    command.addAll(List.of("--resourceProfileId", environment.get("SPARK_RESOURCE_PROFILE_ID")));
    command.addAll(List.of("--podName", environment.get("SPARK_EXECUTOR_POD_NAME")));
    return command;
  }
}
