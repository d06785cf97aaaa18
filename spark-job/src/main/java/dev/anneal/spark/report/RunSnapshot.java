package dev.anneal.spark.report;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.output.MetricsLine;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/**
 * What a page shows of a run, as a text that can be sent on: masked, bounded in size however many
 * steps there are, and without samples, which are rows of the data set.
 */
public final class RunSnapshot {
  private static final JsonMapper JSON =
      JsonMapper.builder().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

  private RunSnapshot() {}

  /**
   * Takes one.
   *
   * @param mostSteps of more steps those with the smallest and the largest loss of each stretch are
   *     kept, and the last
   * @param masked what every text becomes
   */
  public static String of(RunView run, int mostSteps, UnaryOperator<String> masked) {
    ObjectNode json = JSON.createObjectNode();
    json.put("location", masked.apply(run.location())).put("at", run.at().toString());
    ObjectNode record = json.putObject("record");
    run.record()
        .properties()
        .forEach(
            part -> {
              if (!part.getKey().equals("samples")) {
                record.set(part.getKey(), masked(part.getValue(), masked));
              }
            });
    if (run.dataset() != null) {
      json.set("dataset", masked(JSON.valueToTree(shown(run.dataset(), masked)), masked));
    }
    json.put(
        "metrics",
        thinned(run.metrics().after(null, Integer.MAX_VALUE), mostSteps).stream()
            .map(line -> line.text() + "\n")
            .collect(Collectors.joining()));
    return json.toString();
  }

  /**
   * Reads one.
   *
   * @throws InvalidDataException if it is none, or one of another version that this one cannot read
   */
  public static RunView read(String text) {
    try {
      JsonNode json = JSON.readTree(text);
      byte[] metrics = json.path("metrics").asText().getBytes(UTF_8);
      return new RunView(
          json.path("location").asText(),
          json.path("record"),
          MetricsLog.published(List.of(metrics)),
          json.has("dataset")
              ? JSON.treeToValue(json.path("dataset"), DatasetManifest.class)
              : null,
          Instant.parse(json.path("at").asText()));
    } catch (JsonProcessingException | DateTimeException | InvalidCheckpointException e) {
      throw new InvalidDataException("it is of another version of Anneal", e);
    }
  }

  private static JsonNode masked(JsonNode json, UnaryOperator<String> masked) {
    if (json.isTextual()) {
      return TextNode.valueOf(masked.apply(json.textValue()));
    }
    if (json.isArray()) {
      ArrayNode array = JSON.createArrayNode();
      json.forEach(element -> array.add(masked(element, masked)));
      return array;
    }
    if (json.isObject()) {
      ObjectNode object = JSON.createObjectNode();
      json.properties().forEach(part -> object.set(part.getKey(), masked(part.getValue(), masked)));
      return object;
    }
    return json;
  }

  /**
   * What the page shows of it: neither its files, of which there may be thousands, nor settings.
   */
  private static DatasetManifest shown(DatasetManifest dataset, UnaryOperator<String> masked) {
    DatasetManifest.Rows rows = dataset.rows();
    return new DatasetManifest(
        dataset.schemaVersion(),
        null,
        null,
        null,
        null,
        rows == null
            ? null
            : new DatasetManifest.Rows(
                rows.read(),
                rows.kept(),
                rows.truncated(),
                rows.split(),
                reasons(rows.bad(), masked),
                reasons(rows.dropped(), masked)),
        withoutFiles(dataset.train()),
        withoutFiles(dataset.eval()),
        dataset.tokenLengths(),
        null,
        dataset.notes());
  }

  private static SortedMap<String, Long> reasons(
      SortedMap<String, Long> counts, UnaryOperator<String> masked) {
    if (counts == null) {
      return null;
    }
    SortedMap<String, Long> reasons = new TreeMap<>();
    counts.forEach((reason, rows) -> reasons.merge(masked.apply(reason), rows, Long::sum));
    return reasons;
  }

  private static DatasetManifest.Part withoutFiles(DatasetManifest.Part part) {
    return new DatasetManifest.Part(
        part.sequences(),
        part.rows(),
        part.tokens(),
        part.targetTokens(),
        part.largestTokenId(),
        part.packingEfficiency(),
        List.of());
  }

  private static List<MetricsLine> thinned(List<MetricsLine> lines, int mostSteps) {
    List<MetricsLine> steps = new ArrayList<>();
    List<MetricsLine> evaluations = new ArrayList<>();
    lines.forEach(line -> (line.isEvaluation() ? evaluations : steps).add(line));
    List<MetricsLine> kept = new ArrayList<>(extremes(steps, mostSteps));
    kept.addAll(extremes(evaluations, mostSteps));
    kept.sort(null);
    return kept;
  }

  /** At most so many and the last. */
  private static List<MetricsLine> extremes(List<MetricsLine> lines, int most) {
    if (lines.size() <= most) {
      return lines;
    }
    List<MetricsLine> kept = new ArrayList<>();
    int stretches = most / 2;
    for (int s = 0; s < stretches; s++) {
      List<MetricsLine> stretch =
          lines.subList(
              (int) ((long) s * lines.size() / stretches),
              (int) ((long) (s + 1) * lines.size() / stretches));
      MetricsLine low = stretch.get(0);
      MetricsLine high = stretch.get(0);
      for (MetricsLine line : stretch) {
        // of a skipped step there may be no loss
        low = !(loss(low) <= loss(line)) && !Double.isNaN(loss(line)) ? line : low;
        high = !(loss(high) >= loss(line)) && !Double.isNaN(loss(line)) ? line : high;
      }
      kept.add(low);
      if (!Objects.equals(low, high)) {
        kept.add(high);
      }
    }
    MetricsLine last = lines.get(lines.size() - 1);
    if (!kept.contains(last)) {
      kept.add(last);
    }
    return kept;
  }

  private static double loss(MetricsLine line) {
    return line.isEvaluation() ? line.evalLoss() : line.metrics().loss();
  }
}
