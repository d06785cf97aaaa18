package dev.anneal.spark.profile;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.anneal.spark.progress.RankEvent;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.util.Collection;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Ranks' profiles as one JSON array of Chrome's trace events, which <a
 * href="https://ui.perfetto.dev">Perfetto</a> and {@code chrome://tracing} open. A rank is a
 * process, a lane a thread; microseconds count from the earliest span, by the clocks of the ranks'
 * hosts.
 */
final class TraceFile {
  private static final JsonFactory JSON = new JsonFactory();

  /** Where a rank's part is. */
  interface Parts {
    InputStream open(int rank) throws IOException;
  }

  private TraceFile() {}

  static void write(Collection<RankEvent.Profiled> ranks, Parts parts, OutputStream out)
      throws IOException {
    long zero = ranks.stream().mapToLong(RankEvent.Profiled::beginNanos).min().orElse(0);
    JsonGenerator json = JSON.createGenerator(new BufferedOutputStream(out));
    json.writeStartArray();
    for (RankEvent.Profiled rank : ranks) {
      name(json, rank);
      SortedSet<Integer> rows = new TreeSet<>();
      ProfilePart.read(
          parts.open(rank.rank()),
          (row, name, step, begin, end) -> {
            rows.add(row);
            json.writeRaw('\n');
            json.writeStartObject();
            json.writeStringField("ph", "X");
            json.writeNumberField("pid", rank.rank());
            json.writeNumberField("tid", row);
            json.writeStringField("cat", TraceRows.name(row));
            json.writeStringField("name", name);
            json.writeNumberField("ts", micros(begin - zero));
            json.writeNumberField("dur", micros(end - begin));
            json.writeObjectFieldStart("args");
            json.writeNumberField("step", step);
            json.writeEndObject();
            json.writeEndObject();
          });
      for (int row : rows) {
        metadata(json, rank.rank(), row, "thread_name", "name", TraceRows.name(row));
        metadata(json, rank.rank(), row, "thread_sort_index", "sort_index", row);
      }
    }
    json.writeEndArray();
    json.flush();
  }

  private static void name(JsonGenerator json, RankEvent.Profiled rank) throws IOException {
    String name = "rank %s on %s".formatted(rank.rank(), rank.host());
    metadata(json, rank.rank(), 0, "process_name", "name", name);
    metadata(json, rank.rank(), 0, "process_sort_index", "sort_index", rank.rank());
    String clock = "wall clock of " + rank.host() + (rank.isCut() ? ", cut short" : "");
    metadata(json, rank.rank(), 0, "process_labels", "labels", clock);
  }

  private static void metadata(
      JsonGenerator json, int rank, int row, String name, String key, Object value)
      throws IOException {
    json.writeRaw('\n');
    json.writeStartObject();
    json.writeStringField("ph", "M");
    json.writeNumberField("pid", rank);
    json.writeNumberField("tid", row);
    json.writeStringField("name", name);
    json.writeObjectFieldStart("args");
    if (value instanceof Integer number) {
      json.writeNumberField(key, number);
    } else {
      json.writeStringField(key, value.toString());
    }
    json.writeEndObject();
    json.writeEndObject();
  }

  /** Exactly, so that a span's end is not after that of the one that it lies in. */
  private static BigDecimal micros(long nanos) {
    return BigDecimal.valueOf(nanos, 3);
  }
}
