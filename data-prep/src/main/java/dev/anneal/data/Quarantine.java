package dev.anneal.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.Census.LeftOut;
import dev.anneal.data.io.Storage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@code quarantine.jsonl}: every row that was left out, with file, row number and reason. */
final class Quarantine {
  static final String FILE_NAME = "quarantine.jsonl";
  private static final ObjectMapper JSON = new ObjectMapper();

  private Quarantine() {}

  static void write(String datasetUri, List<LeftOut> leftOut, Storage storage) throws IOException {
    List<LeftOut> inOrder =
        leftOut.stream().sorted(Comparator.comparingLong(row -> row.row().index())).toList();
    storage.write(datasetUri + "/" + FILE_NAME, out -> writeTo(out, inOrder));
  }

  private static void writeTo(OutputStream out, List<LeftOut> rows) throws IOException {
    for (LeftOut leftOut : rows) {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("file", leftOut.row().file());
      line.put("row", leftOut.row().row());
      line.put("reason", leftOut.reason());
      line.put("text", leftOut.row().json());
      out.write((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
    }
  }
}
