package dev.anneal.spark.checkpoint;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import java.io.IOException;
import java.util.Collection;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * {@code checkpoints/index.json}: the steps after which there may be a checkpoint. A step is in it
 * before its checkpoint is complete and until after it is removed, so that nobody has to list a
 * folder; whether a checkpoint is there, its manifest says.
 */
final class CheckpointSteps {
  private static final String FILE = RunFolder.CHECKPOINTS + "/index.json";
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private CheckpointSteps() {}

  /**
   * The steps, ascending; none where there is no index.
   *
   * @throws InvalidCheckpointException if the index is damaged
   */
  static SortedSet<Long> read(RunFolder folder) throws IOException {
    SortedSet<Long> steps = new TreeSet<>();
    if (!folder.has(FILE)) {
      return steps;
    }
    JsonNode root = parse(folder.read(FILE), folder);
    if (!root.path("steps").isArray()) {
      throw damaged(folder, null);
    }
    for (JsonNode step : root.path("steps")) {
      if (!step.isIntegralNumber() || !step.canConvertToLong() || step.longValue() < 0) {
        throw damaged(folder, null);
      }
      steps.add(step.longValue());
    }
    return steps;
  }

  static void write(RunFolder folder, Collection<Long> steps) throws IOException {
    ObjectNode root = JSON.createObjectNode();
    steps.forEach(root.putArray("steps")::add);
    folder.write(FILE, JSON.writeValueAsBytes(root));
  }

  private static JsonNode parse(byte[] json, RunFolder folder) {
    try {
      return JSON.readTree(json);
    } catch (IOException e) {
      throw damaged(folder, e);
    }
  }

  private static InvalidCheckpointException damaged(RunFolder folder, Exception cause) {
    return new InvalidCheckpointException(
        "%s is damaged, so that no checkpoint can be found: put it right, or start anew with --overwrite."
            .formatted(RunFolder.display(folder.child(FILE))),
        cause);
  }
}
