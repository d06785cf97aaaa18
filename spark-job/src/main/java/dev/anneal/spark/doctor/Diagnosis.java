package dev.anneal.spark.doctor;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.AnnealVersion;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** What was found everywhere, the driver's first. */
public final class Diagnosis {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final List<PlaceReport> places;
  private final UnaryOperator<String> mask;

  /**
   * Of these reports.
   *
   * @param mask takes secrets out of what is shown
   */
  Diagnosis(List<PlaceReport> places, UnaryOperator<String> mask) {
    this.places = List.copyOf(places);
    this.mask = mask;
  }

  /** One sentence for everything that would stop a run, with the places that it was seen at. */
  public List<String> stops() {
    Map<String, List<String>> seen = new LinkedHashMap<>();
    for (PlaceReport place : places) {
      for (Finding finding : place.checks().values()) {
        if (finding.stops() != null) {
          seen.computeIfAbsent(finding.stops(), sentence -> new ArrayList<>()).add(place.place());
        }
      }
    }
    return seen.entrySet().stream()
        .map(stop -> mask.apply(String.join(", ", stop.getValue()) + ": " + stop.getKey()))
        .toList();
  }

  /** The table and the sentences. */
  public String text() {
    StringBuilder text = new StringBuilder(mask.apply(new Table(places).text())).append('\n');
    List<String> stops = stops();
    if (stops.isEmpty()) {
      return text.append("Nothing of this would stop a run.\n").toString();
    }
    text.append(stops.size() == 1 ? "This would stop a run:\n" : "These would stop a run:\n");
    stops.forEach(stop -> text.append("- ").append(stop).append('\n'));
    return text.toString();
  }

  /** The same as JSON: {@code version}, {@code stops}, {@code places}. */
  public String json() {
    ObjectNode root = JSON.createObjectNode();
    root.put("version", AnnealVersion.anneal());
    root.set("stops", JSON.valueToTree(stops()));
    root.set("places", JSON.valueToTree(places));
    return mask.apply(root.toPrettyString());
  }
}
