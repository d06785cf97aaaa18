package dev.anneal.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.Census.LeftOut;
import dev.anneal.data.io.Storage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;

/**
 * {@code quarantine.jsonl}: the rows that were left out, with file, row number, reason and the
 * beginning of their text. Where they are more than the driver can hold, a last line counts the
 * others: {@code {"more": {"reason": count}}}.
 */
final class Quarantine {
  static final String FILE_NAME = "quarantine.jsonl";
  private static final ObjectMapper JSON = new ObjectMapper();

  private Quarantine() {}

  static void write(String datasetUri, Census census, Storage storage) throws IOException {
    storage.write(datasetUri + "/" + FILE_NAME, out -> writeTo(out, census));
  }

  private static void writeTo(OutputStream out, Census census) throws IOException {
    for (LeftOut leftOut : census.leftOut()) {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("file", leftOut.row().file());
      line.put("row", leftOut.row().row());
      line.put("reason", leftOut.reason());
      line.put("text", leftOut.row().json());
      writeLine(out, line);
    }
    SortedMap<String, Long> more = census.forgotten();
    if (!more.isEmpty()) {
      writeLine(out, Map.of("more", more));
    }
  }

  private static void writeLine(OutputStream out, Map<String, ?> line) throws IOException {
    out.write((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
  }
}
