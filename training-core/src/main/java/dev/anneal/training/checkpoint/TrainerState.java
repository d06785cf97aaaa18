package dev.anneal.training.checkpoint;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.io.Excerpt;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.optim.BucketParts;
import dev.anneal.training.optim.Parameters;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Where a run stands after a step, apart from its tensors.
 *
 * @param step optimizer steps done, the skipped ones among them
 * @param optimizerStep updates that AdamW has done
 * @param skippedInARow steps skipped since the last update
 * @param worldSize ranks that hold the optimizer's state
 * @param globalBatch sequences of an optimizer step
 * @param seed of the order of the sequences and of the dropout, which have no other state
 * @param evaluation what evaluations on the way have found
 * @param buckets the trained parameters
 */
public record TrainerState(
    long step,
    long optimizerStep,
    int skippedInARow,
    int worldSize,
    long globalBatch,
    long seed,
    EvaluationState evaluation,
    List<List<Parameter>> buckets) {

  /** Its name beside the ranks' files. */
  public static final String FILE = "trainer.json";

  private static final String VERSION_KEY = "anneal_trainer";
  private static final int VERSION = 1;

  /** Name and shape of a trained parameter. */
  public record Parameter(String name, List<Long> shape) {
    public Parameter {
      shape = List.copyOf(shape);
      long numel = 1;
      for (long dim : shape) {
        require(dim > 0, "a parameter has the shape " + shape);
        require(
            Math.multiplyHigh(numel, dim) == 0 && numel * dim > 0,
            "the shape %s is too large".formatted(shape));
        numel *= dim;
      }
    }

    private String shown() {
      return Excerpt.of(name) + " " + shape;
    }

    private long numel() {
      return shape.stream().reduce(1L, (a, b) -> a * b);
    }
  }

  /**
   * @throws IllegalArgumentException if the numbers contradict each other
   */
  public TrainerState {
    buckets = buckets.stream().map(List::copyOf).toList();
    StrictJson.requireRanks(worldSize);
    require(globalBatch >= 1, "global_batch must be 1 or more, not " + globalBatch);
    require(step >= 0, "step must be 0 or more, not " + step);
    require(
        optimizerStep >= 0 && skippedInARow >= 0 && skippedInARow <= step - optimizerStep,
        "%s updates and %s steps skipped in a row cannot be of %s steps"
            .formatted(optimizerStep, skippedInARow, step));
    require(
        evaluation.step() <= step,
        "an evaluation after step %s cannot be of %s steps".formatted(evaluation.step(), step));
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }

  /** A run of {@code parameters} that has not begun. */
  public static TrainerState fresh(
      Parameters parameters, int worldSize, long globalBatch, long seed) {
    return new TrainerState(
        0, 0, 0, worldSize, globalBatch, seed, EvaluationState.NONE, buckets(parameters));
  }

  private static List<List<Parameter>> buckets(Parameters parameters) {
    return parameters.layout().buckets().stream()
        .map(
            shapes ->
                shapes.stream()
                    .map(s -> new Parameter(s.name(), Arrays.stream(s.dims()).boxed().toList()))
                    .toList())
        .toList();
  }

  /** The same run after {@code step} steps. */
  public TrainerState after(long step, long optimizerStep, int skippedInARow) {
    return new TrainerState(
        step, optimizerStep, skippedInARow, worldSize, globalBatch, seed, evaluation, buckets);
  }

  /** The same with what evaluations have found. */
  public TrainerState with(EvaluationState evaluation) {
    return new TrainerState(
        step, optimizerStep, skippedInARow, worldSize, globalBatch, seed, evaluation, buckets);
  }

  /** Sequences consumed, in the endless order of the epochs. */
  private long dataPosition() {
    return step * globalBatch;
  }

  /** How its ranks share the buckets. */
  BucketParts parts() {
    return new BucketParts(
        buckets.stream().map(bucket -> bucket.stream().mapToLong(Parameter::numel).sum()).toList(),
        worldSize);
  }

  /**
   * Throws unless {@code run}, which has not begun, computes what this has begun to compute, at
   * whatever world size.
   */
  void requireSameRun(TrainerState run, String where) {
    requireEqual("seed", seed, run.seed, where);
    requireEqual("global batch", globalBatch, run.globalBatch, where);
    requireEqual("number of buckets", buckets.size(), run.buckets.size(), where);
    for (int i = 0; i < buckets.size(); i++) {
      List<Parameter> mine = buckets.get(i);
      List<Parameter> theirs = run.buckets.get(i);
      requireEqual("number of parameters in bucket " + i, mine.size(), theirs.size(), where);
      for (int j = 0; j < mine.size(); j++) {
        requireEqual(
            "parameter %s of bucket %s".formatted(j, i),
            mine.get(j).shown(),
            theirs.get(j).shown(),
            where);
      }
    }
  }

  private static void requireEqual(String what, Object found, Object wanted, String where) {
    if (!found.equals(wanted)) {
      throw new InvalidCheckpointException(
          "%s is of another run: its %s is %s, but this run's is %s."
              .formatted(where, what, found, wanted));
    }
  }

  /** The content of {@link #FILE}. */
  public String toJson() {
    ObjectNode json = JsonObject.create();
    json.put(VERSION_KEY, VERSION);
    json.put("step", step);
    json.put("optimizer_step", optimizerStep);
    json.put("skipped_in_a_row", skippedInARow);
    json.put("world_size", worldSize);
    json.put("global_batch", globalBatch);
    json.put("data_position", dataPosition());
    json.put("seed", seed);
    if (evaluation.step() > 0) {
      // where there is none, earlier versions read the file
      evaluation.addTo(json.putObject("evaluation"));
    }
    ArrayNode bucketsJson = json.putArray("buckets");
    for (List<Parameter> bucket : buckets) {
      ArrayNode parameters = bucketsJson.addObject().putArray("parameters");
      for (Parameter parameter : bucket) {
        ObjectNode parameterJson = parameters.addObject();
        parameterJson.put("name", parameter.name());
        parameter.shape().forEach(parameterJson.withArray("shape")::add);
      }
    }
    return JsonObject.print(json);
  }

  /**
   * Reads {@link #FILE} of {@code folder}.
   *
   * @throws InvalidCheckpointException if it is missing or anything else than {@link #toJson} gives
   */
  public static TrainerState read(ModelFolder folder) throws IOException {
    return parse(StrictJson.read(folder, FILE), folder.locationOf(FILE));
  }

  static TrainerState parse(byte[] json, String where) {
    return StrictJson.parse(json, where, TrainerState::of);
  }

  private static TrainerState of(JsonObject json) {
    StrictJson.requireVersion(json, VERSION_KEY, VERSION);
    StrictJson.requireKeys(
        json,
        VERSION_KEY,
        "step",
        "optimizer_step",
        "skipped_in_a_row",
        "world_size",
        "global_batch",
        "data_position",
        "seed",
        "evaluation",
        "buckets");
    TrainerState state =
        new TrainerState(
            json.longNumber("step"),
            json.longNumber("optimizer_step"),
            json.intNumber("skipped_in_a_row"),
            json.intNumber("world_size"),
            json.longNumber("global_batch"),
            json.longNumber("seed"),
            json.has("evaluation")
                ? EvaluationState.of(json.object("evaluation"))
                : EvaluationState.NONE,
            json.objects("buckets").stream().map(TrainerState::bucket).toList());
    long position = json.longNumber("data_position");
    require(
        Math.multiplyHigh(state.step, state.globalBatch) == 0 && position == state.dataPosition(),
        "%s steps of %s sequences do not end at sequence %s"
            .formatted(state.step, state.globalBatch, position));
    return state;
  }

  private static List<Parameter> bucket(JsonObject json) {
    StrictJson.requireKeys(json, "parameters");
    Stream<JsonObject> parameters = json.objects("parameters").stream();
    return parameters.map(TrainerState::parameter).toList();
  }

  private static Parameter parameter(JsonObject json) {
    StrictJson.requireKeys(json, "name", "shape");
    return new Parameter(json.text("name"), json.wholeNumbers("shape"));
  }
}
