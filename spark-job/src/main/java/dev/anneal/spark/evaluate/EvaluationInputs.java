package dev.anneal.spark.evaluate;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelFingerprint;
import java.io.IOException;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What an evaluation's numbers follow from, as they are recorded beside them.
 *
 * @param model fingerprint of the base model
 * @param adapter fingerprint of the adapter; {@code null} for none
 */
record EvaluationInputs(
    EvaluationRequest request, String model, String adapter, EvaluatedRows rows) {

  /** Takes the fingerprints. */
  static EvaluationInputs of(
      EvaluationRequest request, LlamaConfig shape, EvaluatedRows rows, Storage storage)
      throws IOException {
    AnnealConfig config = request.config();
    ModelLocation model = ModelLocation.of(config.model().path());
    String adapter = config.lora().initFrom();
    return new EvaluationInputs(
        request,
        ModelFingerprint.of(model.open(storage, config.training().seed()), shape),
        adapter == null
            ? null
            : ModelFingerprint.ofAdapter(new StorageModelFolder(adapter, storage)),
        rows);
  }

  String modelName() {
    return ModelLocation.of(request.config().model().path()).display();
  }

  /** {@code null} for none. */
  String adapterName() {
    String adapter = request.config().lora().initFrom();
    return adapter == null ? null : RunFolder.display(adapter);
  }

  String dataName() {
    return RunFolder.display(
        request.dataset() == null ? request.config().data().rows().source() : request.dataset());
  }

  /** Rows that were left out when these were prepared, by reason. */
  SortedMap<String, Long> leftOut() {
    DatasetManifest.Rows read = rows.manifest().rows();
    SortedMap<String, Long> leftOut = new TreeMap<>();
    if (read.bad() != null) {
      leftOut.putAll(read.bad());
    }
    if (read.dropped() != null) {
      read.dropped().forEach((reason, count) -> leftOut.merge(reason, count, Long::sum));
    }
    return leftOut;
  }

  void addTo(ObjectNode json) {
    AnnealConfig config = request.config();
    json.putObject("model").put("path", modelName()).put("fingerprint", model);
    if (adapter == null) {
      json.putNull("adapter");
    } else {
      json.putObject("adapter").put("path", adapterName()).put("fingerprint", adapter);
    }
    ObjectNode data = json.putObject("data");
    data.put("path", dataName());
    data.put("split", rows.split().name().toLowerCase(Locale.ROOT));
    data.put("sha256", rows.manifest().sha256());
    data.put("max_length", rows.manifest().spec().maxLength());
    data.put("rows_cut", rows.manifest().rows().truncated());
    ObjectNode leftOut = data.putObject("rows_left_out");
    leftOut().forEach(leftOut::put);
    json.putObject("settings")
        .put("base_weights.dtype", name(config.baseWeights().dtype()))
        .put("base_weights.exact_edges", config.baseWeights().exactEdges())
        .put("compute.dtype", name(config.compute().dtype()))
        .put("compute.matmul", name(config.compute().matmul()))
        .put("batch_size", request.batchSize());
  }

  private static String name(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
