package dev.anneal.data.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.manifest.Split;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PreparedDatasetTest {
  // 8 sequences a record batch
  private static final int MAX_LENGTH = 1 << 15;

  @TempDir Path dir;

  @Test
  void laysRowsEndToEnd() {
    PreparedSequence sequence =
        PreparedSequence.of(
            List.of(
                new TokenizedRow(new int[] {1, 2, 3}, new int[] {1, 3}),
                new TokenizedRow(new int[] {4}, new int[0]),
                new TokenizedRow(new int[] {5, 6, 7, 8}, new int[] {1, 2, 3, 4})));

    assertThat(sequence.inputIds()).containsExactly(1, 2, 3, 4, 5, 6, 7, 8);
    assertThat(sequence.rowLengths()).containsExactly(3, 1, 4);
    assertThat(sequence.targetSpans()).containsExactly(1, 3, 5, 6, 7, 8);
  }

  @Test
  void readsAnySequenceOfAnyFile() throws Exception {
    List<PreparedSequence> sequences = write(20, 0, 13, 8);
    try (PreparedDataset dataset = open(new Storage(new Configuration()))) {
      assertThat(dataset.size()).isEqualTo(41);
      for (int index : new Random(3).ints(200, 0, 41).toArray()) {
        assertThat(dataset.read(index)).usingRecursiveComparison().isEqualTo(sequences.get(index));
      }
      assertThatThrownBy(() -> dataset.read(41)).isInstanceOf(IndexOutOfBoundsException.class);
    }
    try (PreparedDataset eval =
        PreparedDataset.open(dir.toString(), Split.EVAL, new Storage(new Configuration()))) {
      assertThat(eval.size()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {15, 19, 21, 25})
  void believesNoOtherCountThanTheFiles(int told) throws Exception {
    write(20);
    Path manifest = dir.resolve("dataset.json");
    String json = Files.readString(manifest);
    String changed = json.replace("\"sequences\":20", "\"sequences\":" + told);
    assertThat(changed).isNotEqualTo(json);
    Files.writeString(manifest, changed);
    try (PreparedDataset dataset = open(new Storage(new Configuration()))) {
      assertThatThrownBy(() -> dataset.read(Math.min(told, 20) - 1))
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining("has not the " + told + " sequences that dataset.json says");
    }
    Files.writeString(manifest, json.replaceFirst("\"sequences\":20", "\"sequences\":" + told));
    assertThatThrownBy(() -> open(new Storage(new Configuration())))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("it counts " + told + " sequences, and 20 in its files");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"schema_version\":1,\"rows\":{},\"train\":{\"files\":[]},\"eval\":{\"files\":[]}}",
        "{\"schema_version\":1,\"spec\":{},\"train\":{\"files\":[]},\"eval\":{\"files\":[]}}",
      })
  void aManifestHasAllItsParts(String json) throws IOException {
    Files.writeString(dir.resolve("dataset.json"), json);
    assertThatThrownBy(
            () ->
                PreparedDataset.open(dir.toString(), Split.TRAIN, new Storage(new Configuration())))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("is not a data set's manifest");
  }

  @ParameterizedTest
  @ValueSource(strings = {"9", "-1"})
  void aManifestCountsItsRows(String rows) throws IOException {
    Files.writeString(
        dir.resolve("dataset.json"),
        """
        {"schema_version":1,"spec":{},"rows":{"kept":7},"train":{"rows":%s,"files":[]},
         "eval":{"files":[]}}"""
            .formatted(rows));
    assertThatThrownBy(
            () ->
                PreparedDataset.open(dir.toString(), Split.TRAIN, new Storage(new Configuration())))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining(rows.equals("9") ? "it counts 7 rows, and 9" : "absurd");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"0\":1}", "{\"-2\":1}", "{\"64\":-1}", "{\"64\":null}"})
  void aManifestCountsRowsByTheirLength(String lengths) throws IOException {
    Files.writeString(
        dir.resolve("dataset.json"),
        """
        {"schema_version":1,"spec":{},"rows":{"kept":7},"train":{"rows":7,"files":[]},
         "eval":{"files":[]},"token_lengths":%s}"""
            .formatted(lengths));
    assertThatThrownBy(
            () ->
                PreparedDataset.open(dir.toString(), Split.TRAIN, new Storage(new Configuration())))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("its token_lengths are absurd");
  }

  @ParameterizedTest
  @ValueSource(strings = {"../part-00000.arrow", "/etc/passwd", "..", "s3a://b/x", ".hidden", ""})
  void aManifestNamesFilesOfItsFolderOnly(String name) throws IOException {
    Files.writeString(
        dir.resolve("dataset.json"),
        """
        {"schema_version":1,"spec":{},"rows":{},"train":{"files":[{"name":"%s","sequences":1,"bytes":9}]},
         "eval":{"files":[]}}"""
            .formatted(name));
    assertThatThrownBy(
            () ->
                PreparedDataset.open(dir.toString(), Split.TRAIN, new Storage(new Configuration())))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("it names the file '" + name + "'");
  }

  /** A file system that is not the local one, as far as Anneal can tell. */
  public static final class FarAway extends RawLocalFileSystem {
    private int opened;

    @Override
    public FSDataInputStream open(org.apache.hadoop.fs.Path path, int bufferSize)
        throws IOException {
      opened += path.getName().endsWith(".arrow") ? 1 : 0;
      return super.open(path, bufferSize);
    }

    @Override
    public URI getUri() {
      return URI.create("far:///");
    }

    @Override
    public String getScheme() {
      return "far";
    }
  }

  @Test
  void readsThroughHadoopWhatIsNotLocal() throws Exception {
    List<PreparedSequence> sequences = write(20, 13);
    Configuration conf = farAway();
    try (PreparedDataset dataset =
        PreparedDataset.open("far://" + dir, Split.TRAIN, new Storage(conf))) {
      for (int index : new int[] {32, 0, 19, 20, 7}) {
        assertThat(dataset.read(index)).usingRecursiveComparison().isEqualTo(sequences.get(index));
      }
    }
  }

  @Test
  void keepsOpenTheFilesThatWereReadLast() throws Exception {
    write(IntStream.generate(() -> 1).limit(65).toArray());
    Configuration conf = farAway();
    FarAway files = (FarAway) FileSystem.get(URI.create("far:///"), conf);
    int before = files.opened;
    try (PreparedDataset dataset =
        PreparedDataset.open("far://" + dir, Split.TRAIN, new Storage(conf))) {
      for (int index : new Random(3).ints(500, 0, 64).toArray()) {
        dataset.read(index);
      }
      assertThat(files.opened - before).isEqualTo(64);
      for (int index = 1; index < 65; index++) {
        dataset.read(index);
      }
      assertThat(files.opened - before).as("the 65th file is new").isEqualTo(65);
      dataset.read(1);
      assertThat(files.opened - before).as("file 1 is open").isEqualTo(65);
      dataset.read(0);
      assertThat(files.opened - before).as("file 0 was closed").isEqualTo(66);
    }
  }

  @Test
  void refusesATruncatedFile() throws Exception {
    write(20);
    Path part = dir.resolve("part-00000.arrow");
    byte[] whole = Files.readAllBytes(part);
    Files.write(part, Arrays.copyOf(whole, whole.length - 100));

    refusesFirst("part-00000.arrow' has " + (whole.length - 100) + " bytes, but dataset.json says");
  }

  @Test
  void refusesADamagedFile() throws Exception {
    write(20);
    Path part = dir.resolve("part-00000.arrow");
    byte[] bytes = Files.readAllBytes(part);
    Arrays.fill(bytes, bytes.length - 40, bytes.length, (byte) 0);
    Files.write(part, bytes);

    refusesFirst("part-00000.arrow' is damaged");
  }

  @Test
  void refusesAMissingFileAndAMissingOrForeignManifest() throws Exception {
    assertThatThrownBy(() -> open(new Storage(new Configuration())))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("holds no complete data set");
    write(20);
    Files.delete(dir.resolve("part-00000.arrow"));
    refusesFirst("part-00000.arrow' does not exist");

    Path manifest = dir.resolve("dataset.json");
    Files.writeString(
        manifest,
        Files.readString(manifest).replace("\"schema_version\":1", "\"schema_version\":9"));
    assertThatThrownBy(() -> open(new Storage(new Configuration())))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("has schema version 9, but this build reads 1");
    Files.writeString(manifest, "{\"schema_version\":");
    assertThatThrownBy(() -> open(new Storage(new Configuration())))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("is not a data set's manifest");
  }

  private static Configuration farAway() {
    Configuration conf = new Configuration();
    conf.setClass("fs.far.impl", FarAway.class, FileSystem.class);
    return conf;
  }

  private void refusesFirst(String part) {
    try (PreparedDataset dataset = open(new Storage(new Configuration()))) {
      assertThatThrownBy(() -> dataset.read(0))
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining(part);
    }
  }

  private PreparedDataset open(Storage storage) {
    return PreparedDataset.open(dir.toString(), Split.TRAIN, storage);
  }

  private List<PreparedSequence> write(int... sequencesPerFile) throws Exception {
    return WrittenDataset.write(dir, MAX_LENGTH, sequencesPerFile);
  }
}
