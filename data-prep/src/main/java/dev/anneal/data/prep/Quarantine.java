package dev.anneal.data.prep;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.prep.RowTally.LeftOut;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * {@code quarantine.jsonl}: every row that was left out, with file, row number, reason and the
 * beginning of its text, in the order of the data set. Each task writes a part of its own; the
 * driver strings them together.
 */
final class Quarantine {
  static final String FILE_NAME = "quarantine.jsonl";
  private static final String PREFIX = "quarantine";
  private static final ObjectMapper JSON = new ObjectMapper();

  private Quarantine() {}

  /** Writes the part of a task; returns its name, or null where nothing was left out. */
  static String writePart(String folder, int partition, List<LeftOut> leftOut, Storage storage)
      throws IOException {
    if (leftOut.isEmpty()) {
      return null;
    }
    String name = String.format(Locale.ROOT, "%s-%05d.jsonl", PREFIX, partition);
    storage.write(
        folder + "/" + name,
        out -> {
          for (LeftOut row : leftOut) {
            out.write((line(row) + "\n").getBytes(StandardCharsets.UTF_8));
          }
        });
    return name;
  }

  /** Puts the parts in the place of which there is one file. */
  static void join(String folder, List<String> parts, Storage storage) throws IOException {
    storage.write(
        folder + "/" + FILE_NAME,
        out -> {
          for (String part : parts) {
            try (InputStream in = storage.open(folder + "/" + part)) {
              in.transferTo(out);
            }
          }
        });
    for (String part : parts) {
      storage.delete(folder + "/" + part);
    }
  }

  static boolean isOwn(String fileName) {
    return fileName.startsWith(PREFIX) && fileName.endsWith(".jsonl");
  }

  private static String line(LeftOut leftOut) throws IOException {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("file", leftOut.row().file());
    line.put("row", leftOut.row().row());
    line.put("reason", leftOut.reason());
    line.put("text", leftOut.row().json());
    return JSON.writeValueAsString(line);
  }
}
