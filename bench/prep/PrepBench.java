import com.sun.management.OperatingSystemMXBean;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.AnnealSession;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/**
 * Prepares a source several times in one Spark session and prints a line of JSON each time: the
 * first with a cold JVM, the others warm. Run by bench/prep/scale.py.
 *
 * <p>Arguments: cores, repetitions, output folder, then settings as {@code KEY=VALUE}.
 */
final class PrepBench {
  private PrepBench() {}

  public static void main(String[] args) throws IOException {
    long start = System.nanoTime();
    int repetitions = Integer.parseInt(args[1]);
    Path output = Path.of(args[2]);
    List<String> given = List.of(args).subList(3, args.length);
    SparkSession spark =
        SparkSession.builder()
            .master("local[" + args[0] + "]")
            .config("spark.ui.enabled", false)
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate();
    OperatingSystemMXBean process =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    Map<String, Object> config = new HashMap<>(Map.of("output.path", output.toString()));
    for (String setting : given) {
      int equals = setting.indexOf('=');
      config.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    AnnealSession session =
        Anneal.on(spark).overwrite().printTo(new PrintWriter(Writer.nullWriter()));
    for (int i = 0; i < repetitions; i++) {
      long begin = i == 0 ? start : System.nanoTime();
      long cpuBefore = i == 0 ? 0 : process.getProcessCpuTime();
      DatasetManifest dataset = session.prep(config);
      double seconds = (System.nanoTime() - begin) / 1e9;
      System.out.printf(
          Locale.ROOT,
          "{\"rows\": %d, \"tokens\": %d, \"packing_efficiency\": %.4f, \"files\": %d,"
              + " \"seconds\": %.2f, \"cpu_seconds\": %.2f, \"peak_rss_mib\": %d}%n",
          dataset.rows().kept(),
          dataset.train().tokens() + dataset.eval().tokens(),
          dataset.train().packingEfficiency(),
          dataset.train().files().size(),
          seconds,
          (process.getProcessCpuTime() - cpuBefore) / 1e9,
          peakMebibytes());
    }
    spark.stop();
  }

  /** The most physical memory that this process ever had. */
  private static long peakMebibytes() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
      return lines
              .filter(line -> line.startsWith("VmHWM:"))
              .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
              .findFirst()
              .orElse(0)
          / 1024;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
