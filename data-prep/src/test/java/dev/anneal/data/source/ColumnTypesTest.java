package dev.anneal.data.source;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What pyarrow reads of a file, as Python prints it; {@code columnar/generate.py} asked it. */
class ColumnTypesTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @ParameterizedTest
  @ValueSource(strings = {"types.parquet", "types.arrow", "durations.arrow"})
  void areReadAsPyarrowReadsThem(String name) throws Exception {
    Path file = resource(name);
    Storage storage = new Storage(new Configuration());
    List<JsonNode> rows = new ArrayList<>();
    for (FileRange range :
        FileRange.of(new FileInfo(file.toUri().toString(), Files.size(file)), storage)) {
      try (RowReader reader = RowReader.open(range, storage)) {
        while (reader.hasNext()) {
          rows.add(JSON.readTree(reader.next().json()));
        }
      }
    }

    assertThat(rows)
        .containsExactlyElementsOf(
            JSON.readTree(resource(name.replaceFirst("\\..*", ".json")).toFile()));
  }

  private static Path resource(String name) throws Exception {
    URL url = ColumnTypesTest.class.getResource("/columnar/" + name);
    return Path.of(url.toURI());
  }
}
