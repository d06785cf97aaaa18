package dev.anneal.data.prep;

import dev.anneal.data.Shared;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.storage.Storage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/** A specification that tests change where they need to. */
public final class PrepFixture {
  private String source = "";
  private RowFormat format = RowFormat.ALPACA;
  private Map<String, String> columns = Map.of();
  private String template;
  private int maxLength = 1024;
  private LongRows longRows = LongRows.TRUNCATE;
  private boolean packing = true;
  private boolean shuffle = true;
  private boolean trainOnPrompt;
  private Long limit;
  private int evalRows;
  private double maxBadRows = 0.01;
  private long seed = 42;
  private String tokenizer;
  private final Path output;

  private PrepFixture(Path output) {
    this.output = output;
  }

  /** Alpaca rows with the Llama 3.1 tokenizer. */
  public static PrepFixture alpaca(Path output) {
    PrepFixture fixture = new PrepFixture(output);
    fixture.source = Shared.alpaca().toString();
    fixture.tokenizer = Shared.llamaTokenizer().toString();
    return fixture;
  }

  /** Rows of ids, which need no tokenizer. */
  public static PrepFixture tokenized(Path source, Path output) {
    PrepFixture fixture = new PrepFixture(output);
    fixture.source = source.toString();
    fixture.format = RowFormat.TOKENIZED;
    return fixture;
  }

  /** A Spark without a web interface; {@code threads} tasks run at a time. */
  public static SparkSession spark(int threads) {
    return SparkSession.builder()
        .master("local[" + threads + "]")
        .config("spark.ui.enabled", false)
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate();
  }

  /** Writes the data set. */
  public static DatasetManifest prepare(SparkSession spark, PrepSpec spec) {
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    return new Preparation(spec, storage).run(spark);
  }

  /** The files of the data set by name, as hexadecimal digests of what they hold. */
  public static SortedMap<String, String> files(PrepSpec spec) throws Exception {
    SortedMap<String, String> files = new TreeMap<>();
    try (Stream<Path> paths = Files.list(Path.of(spec.datasetUri()))) {
      for (Path path : paths.toList()) {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(path));
        files.put(path.getFileName().toString(), HexFormat.of().formatHex(digest));
      }
    }
    return files;
  }

  public PrepFixture source(Object value) {
    source = value.toString();
    return this;
  }

  public PrepFixture format(RowFormat value) {
    format = value;
    return this;
  }

  public PrepFixture maxLength(int value) {
    maxLength = value;
    return this;
  }

  public PrepFixture columns(Map<String, String> value) {
    columns = value;
    return this;
  }

  public PrepFixture template(Object value) {
    template = value.toString();
    return this;
  }

  public PrepFixture longRows(LongRows value) {
    longRows = value;
    return this;
  }

  public PrepFixture unpacked() {
    packing = false;
    return this;
  }

  public PrepFixture inFileOrder() {
    shuffle = false;
    return this;
  }

  public PrepFixture trainOnPrompt() {
    trainOnPrompt = true;
    return this;
  }

  public PrepFixture limit(long value) {
    limit = value;
    return this;
  }

  public PrepFixture evalRows(int value) {
    evalRows = value;
    return this;
  }

  public PrepFixture maxBadRows(double value) {
    maxBadRows = value;
    return this;
  }

  public PrepFixture seed(long value) {
    seed = value;
    return this;
  }

  public PrepFixture tokenizer(Object value) {
    tokenizer = value.toString();
    return this;
  }

  public PrepSpec spec() {
    return new PrepSpec(
        new PrepSpec.Rows(
            source, format, new TreeMap<>(columns), template, limit, evalRows, maxBadRows),
        new PrepSpec.Sequences(maxLength, longRows, packing, shuffle, trainOnPrompt),
        seed,
        tokenizer,
        output.toString(),
        Integer.MAX_VALUE);
  }
}
