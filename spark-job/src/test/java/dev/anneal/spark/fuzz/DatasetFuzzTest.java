package dev.anneal.spark.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.arrow.PreparedSequence;
import dev.anneal.data.arrow.PreparedWriter;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.Split;
import dev.anneal.storage.Storage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fuzz")
class DatasetFuzzTest {
  private static final List<String> WORDS = List.of("ARROW1", "anneal.batch_rows", "\u0008");

  @TempDir(factory = MemoryTempDir.class)
  Path dir;

  private final Storage storage = new Storage(new Configuration());

  @Test
  void preparedFiles() throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (PreparedWriter writer = new PreparedWriter(out, 64)) {
      for (int i = 0; i < 5; i++) {
        int[] ids = {i, 2, 3, 4};
        writer.append(new PreparedSequence(ids, new int[] {4}, new int[] {1, 4}, List.of()));
      }
      writer.finish();
    }
    Mutator mutator = new Mutator(Fuzz.seed(), List.of(out.toByteArray()), WORDS);
    Fuzz.run("prepared Arrow files", mutator, this::readPrepared, InvalidDataException.class);
  }

  private void readPrepared(byte[] arrow) throws IOException {
    Files.write(dir.resolve("part-00000.arrow"), arrow);
    Files.writeString(
        dir.resolve("dataset.json"),
        """
        {"schema_version":1,"spec":{},"rows":{},"train":{"sequences":5,"files":[{"name":"part-00000.arrow","sequences":5,"bytes":%s}]},
         "eval":{"files":[]}}\
        """
            .formatted(arrow.length));
    try (PreparedDataset train = PreparedDataset.open(dir.toString(), Split.TRAIN, storage)) {
      for (int i = 0; i < train.size(); i++) {
        train.read(i);
      }
    }
  }

  @Test
  void manifestsOfDatasets() throws Exception {
    String manifest =
        """
        {"schema_version":1,"tokenizer_sha256":null,"spec":{"source":"x","columns":{"a":"b"}},
         "rows":{"read":5,"kept":5,"bad":{"x":1}},"train":{"sequences":5,"rows":5,"largest_token_id":7,
         "files":[{"name":"part-00000.arrow","sequences":5,"bytes":100}]},
         "eval":{"files":[]},"token_lengths":{"64":5}}\
        """;
    List<String> words = List.of("\"files\":", "\"train\":", "\"name\":", "\"../x\"", "\"eval\":");
    Mutator mutator = new Mutator(Fuzz.seed(), List.of(manifest.getBytes(UTF_8)), words);
    Fuzz.run(
        "manifests of data sets",
        mutator,
        json -> {
          Files.write(dir.resolve("dataset.json"), json);
          try (PreparedDataset train = PreparedDataset.open(dir.toString(), Split.TRAIN, storage)) {
            if (train.size() > 0) {
              train.read(0);
            }
          }
        },
        InvalidDataException.class);
  }
}
