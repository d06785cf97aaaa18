package dev.anneal.spark.profile;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.timing.Profile.ProfiledSpan;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.util.Locale;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/**
 * A rank's profile as a file, packed by gzip: a line of JSON a span, {@code [row, name, step,
 * begin, end]} with both times in nanoseconds since 1970.
 */
final class ProfilePart {
  /** Where the parts of an attempt are, in its folder. */
  static final String FOLDER = "profile";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final JsonFactory LINES = new JsonFactory().setRootValueSeparator("\n");

  /** Takes one span after the other. */
  interface Reader {
    void span(int row, String name, long step, long beginNanos, long endNanos) throws IOException;
  }

  private ProfilePart() {}

  static String fileName(int rank) {
    return String.format(Locale.ROOT, "rank-%05d.jsonl.gz", rank);
  }

  static void write(Profile profile, OutputStream out) throws IOException {
    try (GZIPOutputStream packed = new GZIPOutputStream(out);
        JsonGenerator json = LINES.createGenerator(packed)) {
      for (TraceRows.Placed placed : TraceRows.of(profile.spans())) {
        ProfiledSpan span = placed.span();
        json.writeStartArray();
        json.writeNumber(placed.row());
        json.writeString(span.name());
        json.writeNumber(span.step());
        json.writeNumber(span.beginNanos());
        json.writeNumber(span.endNanos());
        json.writeEndArray();
      }
    }
  }

  static void read(InputStream in, Reader reader) throws IOException {
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(new GZIPInputStream(in), UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        JsonNode span = JSON.readTree(line);
        reader.span(
            span.path(0).intValue(),
            span.path(1).textValue(),
            span.path(2).longValue(),
            span.path(3).longValue(),
            span.path(4).longValue());
      }
    }
  }
}
