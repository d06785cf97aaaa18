import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.arrow.PreparedSequence;
import dev.anneal.data.manifest.Split;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.LongUnaryOperator;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;

/**
 * Reads the training split of a prepared data set as a rank does, sequences at random and then all
 * in their order, and prints how fast and with how much memory. Run by bench/prep/read.py.
 *
 * <p>Argument: folder with dataset.json.
 */
final class ReadBench {
  private static final long AT_RANDOM = 20_000;

  private ReadBench() {}

  public static void main(String[] args) throws IOException {
    long opening = System.nanoTime();
    Storage storage = new Storage(new Configuration());
    try (PreparedDataset dataset = PreparedDataset.open(args[0], Split.TRAIN, storage)) {
      long size = dataset.size();
      dataset.read(size / 2);
      System.out.printf(
          Locale.ROOT, "first sequence after %.2f s%n", (System.nanoTime() - opening) / 1e9);
      SplittableRandom random = new SplittableRandom(42);
      read(dataset, "at random", AT_RANDOM, i -> random.nextLong(size));
      read(dataset, "in order", size, i -> i);
    }
  }

  private static void read(
      PreparedDataset dataset, String how, long count, LongUnaryOperator order) throws IOException {
    long start = System.nanoTime();
    long tokens = 0;
    for (long i = 0; i < count; i++) {
      PreparedSequence sequence = dataset.read(order.applyAsLong(i));
      tokens += sequence.inputIds().length;
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf(
        Locale.ROOT,
        "%-9s %,9d sequences %,14d tokens %8.2f s %,12.0f tokens/s, %s%n",
        how,
        count,
        tokens,
        seconds,
        tokens / seconds,
        memory());
  }

  /** Physical memory of this process, mapped files apart. */
  private static String memory() throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
      return String.join(
          ", ",
          lines
              .filter(line -> line.startsWith("RssAnon") || line.startsWith("RssFile"))
              .map(line -> line.replaceAll("\\s+", " "))
              .toList());
    }
  }
}
