package dev.anneal.spark.doctor;

import dev.anneal.training.host.Cgroup;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.util.VersionInfo;
import org.apache.spark.SparkConf;
import org.apache.spark.util.Utils;

/** The host and the JVM of a process: versions, memory, limits, disks, GPUs. */
final class HostChecks {
  private static final Duration LIMIT = Duration.ofSeconds(5);

  /** What the symbols of {@code libtorch_cpu.so} ask for. */
  static final int GLIBC_TO_TRAIN = 35;

  /** What the tokenizer of a driver asks for, which does not train. */
  static final int GLIBC_TO_PREPARE = 34;

  private static final Pattern GLIBC = Pattern.compile("glibc (2\\.(\\d+))");

  private HostChecks() {}

  static void addForDriver(Looks looks, SparkConf spark) {
    add(looks, spark, GLIBC_TO_PREPARE);
  }

  static void addForExecutor(Looks looks, SparkConf spark) {
    add(looks, spark, GLIBC_TO_TRAIN);
  }

  private static void add(Looks looks, SparkConf spark, int leastGlibc) {
    looks.add("java", () -> System.getProperty("java.version"));
    looks.require(
        "glibc",
        LIMIT,
        () -> glibc(Commands.output(List.of("getconf", "GNU_LIBC_VERSION")), leastGlibc),
        cause ->
            "glibc 2.%s or newer is needed, but %s: use an image with it."
                .formatted(leastGlibc, cause));
    looks.add("kernel", () -> System.getProperty("os.version"));
    looks.add("spark", () -> org.apache.spark.package$.MODULE$.SPARK_VERSION());
    looks.add("scala", scala.util.Properties::versionNumberString);
    looks.add("hadoop", VersionInfo::getVersion);
    looks.add("memory", () -> memory(Files.readString(Path.of("/proc/meminfo"))));
    looks.add("container limit", () -> Bytes.limit(Cgroup.memoryLimit()));
    looks.add("java heap", () -> Bytes.size(Runtime.getRuntime().maxMemory()));
    looks.add("locked memory", () -> Bytes.limit(limits().soft(ProcessLimits.LOCKED_MEMORY)));
    looks.add("open files", () -> count(limits().soft(ProcessLimits.OPEN_FILES)));
    looks.add("scratch", () -> scratch(spark));
    looks.add("gpus", HostChecks::gpus);
  }

  /**
   * The version, as {@code 2.36}.
   *
   * @param told what {@code getconf} prints
   * @param leastMinor the least version that will do, behind its {@code 2.}
   * @throws IOException if it is none that will do
   */
  static String glibc(String told, int leastMinor) throws IOException {
    Matcher version = GLIBC.matcher(told);
    if (!version.lookingAt() || Integer.parseInt(version.group(2)) < leastMinor) {
      throw new IOException("this is " + told);
    }
    return version.group(1);
  }

  /** What {@code /proc/meminfo} says is free without swapping, and in all. */
  static String memory(String meminfo) {
    return "%s of %s free".formatted(kib(meminfo, "MemAvailable"), kib(meminfo, "MemTotal"));
  }

  private static String kib(String meminfo, String name) {
    return meminfo
        .lines()
        .filter(line -> line.startsWith(name + ":"))
        .map(line -> Bytes.size(Long.parseLong(line.replaceAll("\\D", "")) << 10))
        .findFirst()
        .orElse("?");
  }

  private static ProcessLimits limits() throws IOException {
    return new ProcessLimits(Files.readString(Path.of("/proc/self/limits")));
  }

  private static String count(OptionalLong limit) {
    return limit.isPresent() ? Long.toString(limit.getAsLong()) : "no limit";
  }

  /** The folders that Spark spills to; two of one disk have the same room. */
  private static String scratch(SparkConf spark) {
    return Arrays.stream(Utils.getConfiguredLocalDirs(spark))
        .map(folder -> Bytes.size(new File(folder).getUsableSpace()))
        .distinct()
        .collect(Collectors.joining(", ", "", " free"));
  }

  private static String gpus() throws IOException, InterruptedException {
    if (!Files.exists(Path.of("/proc/driver/nvidia/version"))
        && !Files.exists(Path.of("/dev/nvidiactl"))) {
      return "none";
    }
    return NvidiaSmi.summary(Commands.output(NvidiaSmi.COMMAND));
  }
}
