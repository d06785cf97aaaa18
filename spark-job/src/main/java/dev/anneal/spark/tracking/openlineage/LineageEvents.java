package dev.anneal.spark.tracking.openlineage;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.TrackedRun;
import java.net.URI;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Events of a run as OpenLineage's specification, version 2-0-2, writes them. */
final class LineageEvents {
  private static final String SCHEMA =
      "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

  private static final String FACETS = "https://openlineage.io/spec/facets/";
  private static final String PRODUCER = "urn:anneal:" + AnnealVersion.anneal();
  private static final Pattern SCHEME = Pattern.compile("([a-zA-Z][a-zA-Z0-9+.-]+):(.*)");

  private final TrackedRun run;
  private final String runId;

  /** The application that a run is a part of, as OpenLineage's listener calls it. */
  record Application(String namespace, String name, String runId) {}

  LineageEvents(TrackedRun run, String runId) {
    this.run = run;
    this.runId = runId;
  }

  /**
   * The event of a moment.
   *
   * @param end {@code null} of a run that begins
   */
  String json(Application application, RunEnd end, Instant at) {
    ObjectNode event = JsonNodeFactory.instance.objectNode();
    event
        .put("eventType", type(end))
        .put("eventTime", at.truncatedTo(ChronoUnit.MILLIS).atOffset(ZoneOffset.UTC).toString())
        .put("producer", PRODUCER)
        .put("schemaURL", SCHEMA);
    ObjectNode facets = event.putObject("run").put("runId", runId).putObject("facets");
    ObjectNode parent = facet(facets, "parent", "1-1-0/ParentRunFacet");
    parent.putObject("run").put("runId", application.runId());
    parent
        .putObject("job")
        .put("namespace", application.namespace())
        .put("name", application.name());
    if (end != null && end.error() != null) {
      facet(facets, "errorMessage", "1-0-1/ErrorMessageRunFacet")
          .put("message", run.masked().apply(end.error()))
          .put("programmingLanguage", "JAVA");
    }
    event
        .putObject("job")
        .put("namespace", application.namespace())
        .put("name", application.name() + ".anneal_train")
        .putObject("facets");
    inputs(event);
    outputs(event, end);
    return event.toString();
  }

  private static String type(RunEnd end) {
    if (end == null) {
      return "START";
    }
    return switch (end.state()) {
      case SUCCEEDED -> "COMPLETE";
      case FAILED -> "FAIL";
      case INTERRUPTED -> "ABORT";
    };
  }

  private void inputs(ObjectNode event) {
    String source = run.request().config().data().rows().source();
    if (source == null) {
      event.putArray("inputs");
      return;
    }
    ObjectNode input = event.putArray("inputs").addObject();
    dataset(input, source);
    if (run.data().train().rows() != null) {
      ObjectNode facets = input.putObject("inputFacets");
      facet(facets, "inputStatistics", "1-0-0/InputStatisticsInputDatasetFacet")
          .put("rowCount", run.data().train().rows().read());
    }
  }

  /** What is there when the run has succeeded. */
  private void outputs(ObjectNode event, RunEnd end) {
    if (end != null && end.state() != RunEnd.State.SUCCEEDED) {
      event.putArray("outputs");
      return;
    }
    String result = RunFolder.resultOf(run.request().config().training().mode());
    dataset(event.putArray("outputs").addObject(), run.folder().child(result));
  }

  /** By OpenLineage's rules for names: the place is the namespace, the path in it the name. */
  private void dataset(ObjectNode dataset, String location) {
    String masked = run.masked().apply(location);
    Matcher uri = SCHEME.matcher(masked);
    String namespace = "file";
    String name = masked;
    if (uri.matches()) {
      String scheme = uri.group(1).replaceFirst("^s3[an]$", "s3");
      String rest = uri.group(2);
      Matcher authority = Pattern.compile("//([^/]+)(/.*)?").matcher(rest);
      if (authority.matches()) {
        namespace = scheme + "://" + authority.group(1);
        name = authority.group(2) == null ? "/" : authority.group(2);
        // object stores have keys, file systems paths
        name = scheme.matches("s3|gs") && name.length() > 1 ? name.substring(1) : name;
      } else {
        namespace = scheme;
        name = rest.replaceFirst("^/+", "/");
      }
    }
    dataset.put("namespace", namespace).put("name", name.replaceFirst("(?<=.)/+$", ""));
  }

  private static ObjectNode facet(ObjectNode facets, String name, String schema) {
    String type = schema.substring(schema.indexOf('/') + 1);
    URI url = URI.create(FACETS + schema + ".json#/$defs/" + type);
    return facets.putObject(name).put("_producer", PRODUCER).put("_schemaURL", url.toString());
  }
}
