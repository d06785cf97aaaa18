package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.anneal.training.lora.ModuleNames;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.trainer.MemoryChoice;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.trainer.TrainingSpec.OnNan;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;

/**
 * Everything that a run is told, checked and with its defaults filled in: a record for each section
 * of the file. The keys, their rules and their defaults are in {@link ConfigKeys}; {@link
 * ConfigLoader} makes it, and nobody else.
 */
public record AnnealConfig(
    Model model,
    Data data,
    Lora lora,
    BaseWeights baseWeights,
    Compute compute,
    Activations activations,
    Training training,
    Optimizer optimizer,
    Schedule schedule,
    Checkpoint checkpoint,
    Evaluation evaluation,
    Cluster cluster,
    Output output)
    implements Serializable {

  /** The same with another place of the model. */
  public AnnealConfig withModelPath(String path) {
    return new AnnealConfig(
        new Model(path, model.tokenizer()),
        data,
        lora,
        baseWeights,
        compute,
        activations,
        training,
        optimizer,
        schedule,
        checkpoint,
        evaluation,
        cluster,
        output);
  }

  /** The same with what memory decides, where that was left to it. */
  public AnnealConfig withMemory(MemoryChoice choice) {
    return new AnnealConfig(
        model,
        data,
        lora,
        new BaseWeights(
            baseWeights.dtype(),
            baseWeights.shard(),
            baseWeights.isAuto()
                ? DoubleNode.valueOf(choice.offloadRatio())
                : baseWeights.offloadRatio()),
        compute,
        new Activations(
            activations.isAuto()
                ? Activations.checkpoint(choice.recomputedLayers())
                : activations.checkpoint(),
            activations.offload()),
        training,
        optimizer,
        schedule,
        checkpoint,
        evaluation,
        cluster,
        output);
  }

  /** What is left to memory to decide. */
  public MemoryChoice.Open open() {
    return MemoryChoice.Open.of(baseWeights.isAuto(), activations.isAuto());
  }

  /** In what numbers weights are stored or computed. */
  public enum Precision {
    FP8,
    BF16,
    FP32
  }

  /** Among which ranks the frozen weights are split. */
  public enum Shard {
    NONE,
    NODE,
    WORLD
  }

  /** What becomes of rows that are longer than a sequence. */
  public enum TooLong {
    TRUNCATE,
    DROP
  }

  /** Whether a run goes on from the last complete checkpoint. */
  public enum Resume {
    AUTO,
    NEVER
  }

  /**
   * Which model is tuned.
   *
   * @param path a Hugging Face model folder, or {@code random:} with a shape's name or a {@code
   *     config.json}
   * @param tokenizer folder of the tokenizer; {@code null}: that of the model
   */
  public record Model(String path, String tokenizer) implements Serializable {}

  /** What it learns from. */
  public record Data(Rows rows, Sequences sequences) implements Serializable {}

  /**
   * Which rows it learns from.
   *
   * @param source path, URI or glob of the instruction rows; a table or a data set of the hub
   * @param format what a row looks like
   * @param columns the source's column for a field of the format that has another name there
   * @param template file with a chat template; {@code null}: the model's own
   * @param limit only the first so many rows; {@code null}: all
   * @param evalRows rows held out from training
   * @param maxBadRows share of unreadable rows above which the data is refused
   */
  public record Rows(
      String source,
      String format,
      Map<String, String> columns,
      String template,
      Long limit,
      int evalRows,
      double maxBadRows)
      implements Serializable {}

  /**
   * How rows are cut into sequences.
   *
   * @param maxLength of a sequence, in tokens
   * @param tooLong what becomes of longer rows
   * @param splitLong longer rows become several; goes before {@code tooLong}
   */
  public record Sequences(
      int maxLength,
      TooLong tooLong,
      boolean splitLong,
      boolean packing,
      boolean shuffle,
      boolean trainOnPrompt)
      implements Serializable {}

  /**
   * The adapter.
   *
   * @param targetModules a list of names, or a text as PEFT takes it
   * @param rankPattern other ranks by regular expressions for the ends of names, in their order
   * @param alphaPattern other alphas in the same way
   * @param initFrom a PEFT adapter folder to start from; {@code null}: a new adapter
   */
  public record Lora(
      int r,
      double alpha,
      double dropout,
      boolean useRslora,
      JsonNode targetModules,
      Map<String, Integer> rankPattern,
      Map<String, Double> alphaPattern,
      String initFrom)
      implements Serializable {

    /**
     * Which modules get an adapter.
     *
     * @throws dev.anneal.training.InvalidModelException if it is a regular expression that is not
     *     understood
     */
    public ModuleNames moduleNames() {
      return names(targetModules);
    }

    static ModuleNames names(JsonNode given) {
      if (given.isTextual()) {
        return ModuleNames.text(given.textValue());
      }
      List<String> names = new ArrayList<>();
      given.forEach(name -> names.add(name.asText()));
      return ModuleNames.listed(names);
    }
  }

  /**
   * How the frozen weights are held.
   *
   * @param offloadRatio share of a rank's frozen weights that waits in host memory, or {@code auto}
   */
  public record BaseWeights(Precision dtype, Shard shard, JsonNode offloadRatio)
      implements Serializable {
    /** Whether memory decides. */
    public boolean isAuto() {
      return offloadRatio.isTextual();
    }

    /** The share; 0 as long as memory has not decided. */
    public double ratio() {
      return offloadRatio.asDouble(0);
    }
  }

  /**
   * In what numbers the model computes.
   *
   * @param dtype of activations and adapters
   * @param matmul of the products with frozen weights
   */
  public record Compute(Precision dtype, Precision matmul) implements Serializable {}

  /**
   * What becomes of activations between forward and backward.
   *
   * @param checkpoint {@code layer}, {@code none}, {@code auto}, or how many of the first layers
   *     keep their input only
   * @param offload whether those inputs wait in host memory
   */
  public record Activations(JsonNode checkpoint, boolean offload) implements Serializable {
    private static JsonNode checkpoint(int recomputedLayers) {
      return switch (recomputedLayers) {
        case 0 -> TextNode.valueOf("none");
        case Integer.MAX_VALUE -> TextNode.valueOf("layer");
        default -> LongNode.valueOf(recomputedLayers);
      };
    }

    /** Whether memory decides. */
    public boolean isAuto() {
      return checkpoint.asText().equals("auto");
    }

    /**
     * Whether every layer is computed again, however many there are; also as long as memory has not
     * decided.
     */
    public boolean recomputesAll() {
      return checkpoint.asText().equals("layer") || isAuto();
    }

    /** How many of the first layers are computed again; {@link Integer#MAX_VALUE}: all. */
    public int recomputedLayers() {
      return recomputesAll() ? Integer.MAX_VALUE : checkpoint.asInt(0);
    }
  }

  /**
   * What trains, in which batches and for how long.
   *
   * @param gradientAccumulation micro-batches of a rank per optimizer step
   * @param epochs passes over the data; where set, it takes precedence over {@code maxSteps}
   * @param maxGradNorm clips the gradient's global norm; 0: never
   * @param onNan what becomes of a step whose loss or gradient is not finite
   */
  public record Training(
      TrainingSpec.Mode mode,
      int microBatchSize,
      int gradientAccumulation,
      long maxSteps,
      Double epochs,
      double maxGradNorm,
      OnNan onNan,
      long seed)
      implements Serializable {}

  /** AdamW. */
  public record Optimizer(double learningRate, double weightDecay, List<Double> betas, double eps)
      implements Serializable {}

  /**
   * The learning rate over the steps.
   *
   * @param warmupSteps where set, it takes precedence over {@code warmupRatio}
   * @param warmupRatio share of all steps
   */
  public record Schedule(LearningRateSchedule.Type type, Long warmupSteps, double warmupRatio)
      implements Serializable {}

  /**
   * What a run leaves behind on its way.
   *
   * @param everySteps optimizer steps between two checkpoints; 0: none
   * @param keep how many of the last ones stay
   */
  public record Checkpoint(long everySteps, int keep, Resume resume) implements Serializable {}

  /**
   * What is shown of the model before and after.
   *
   * @param sampleRows held-out prompts that are continued before and after training
   * @param sampleTokens longest continuation
   */
  public record Evaluation(int sampleRows, int sampleTokens) implements Serializable {}

  /**
   * Who takes part.
   *
   * @param gpusPerNode 0: train on the CPU, one rank a node
   * @param timeout seconds that a rank waits for the others before it gives up
   * @param attempts how often training is begun without a new checkpoint before the run fails
   */
  public record Cluster(int nodes, int gpusPerNode, int timeout, int attempts)
      implements Serializable {}

  /**
   * Where everything goes.
   *
   * @param path folder that everything goes into
   */
  public record Output(String path) implements Serializable {}

  /** The same as a tree, as {@code run.json} shows it. */
  public ObjectNode resolved() {
    return ConfigMapper.toTree(this);
  }

  /** What of it decides what a run computes, by key; where and how fast does not count. */
  public SortedMap<String, String> identity() {
    return ConfigSchema.identity(this);
  }

  /** Ranks of the run. */
  public int worldSize() {
    return cluster.nodes() * Math.max(1, cluster.gpusPerNode());
  }

  /** Sequences of one optimizer step. */
  public long globalBatch() {
    return (long) worldSize() * training.gradientAccumulation() * training.microBatchSize();
  }
}
