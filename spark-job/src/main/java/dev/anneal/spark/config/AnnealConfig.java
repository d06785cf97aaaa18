package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.anneal.training.fused.AttentionLibrary;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryChoice;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.weights.FrozenLayers;
import java.io.Serializable;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.stream.Stream;

/**
 * Everything that a run is told, checked and with its defaults filled in: a record for each section
 * of the file. The keys, their rules and their defaults are in {@link ConfigKeys}; {@link
 * ConfigLoader} makes it, and nobody else.
 */
public record AnnealConfig(
    Model model,
    DataConfig data,
    LoraConfig lora,
    BaseWeights baseWeights,
    Compute compute,
    Activations activations,
    TrainingConfig training,
    Optimizer optimizer,
    Schedule schedule,
    Checkpoint checkpoint,
    Evaluation evaluation,
    Cluster cluster,
    Output output,
    Tracking tracking,
    Profile profile,
    Webhooks webhooks)
    implements Serializable {

  /** The same with another place of the model. */
  public AnnealConfig withModelPath(String path) {
    return with(new Model(path, model.tokenizer()), baseWeights, activations, webhooks);
  }

  /** The same without what only the driver is to know. */
  public AnnealConfig withoutSecrets() {
    return with(model, baseWeights, activations, new Webhooks(null, null, webhooks.format()));
  }

  /** The same with what memory decides, where that was left to it. */
  public AnnealConfig withMemory(MemoryChoice choice) {
    BaseWeights settledWeights =
        new BaseWeights(
            baseWeights.dtype(),
            baseWeights.shard(),
            baseWeights.isAuto()
                ? DoubleNode.valueOf(choice.offloadRatio())
                : baseWeights.offloadRatio(),
            baseWeights.bothLayouts(),
            baseWeights.exactEdges());
    Activations settledActivations =
        new Activations(
            activations.checkpointIsAuto()
                ? Activations.checkpoint(choice.recomputedLayers())
                : activations.checkpoint(),
            activations.offload(),
            activations.hostLayersAreAuto()
                ? LongNode.valueOf(choice.hostLayers())
                : activations.hostLayers());
    return with(model, settledWeights, settledActivations, webhooks);
  }

  private AnnealConfig with(
      Model newModel, BaseWeights newWeights, Activations newActivations, Webhooks newWebhooks) {
    return new AnnealConfig(
        newModel,
        data,
        lora,
        newWeights,
        compute,
        newActivations,
        training,
        optimizer,
        schedule,
        checkpoint,
        evaluation,
        cluster,
        output,
        tracking,
        profile,
        newWebhooks);
  }

  /** What is left to memory to decide. */
  public Set<MemoryChoice.Open> open() {
    Set<MemoryChoice.Open> open = EnumSet.noneOf(MemoryChoice.Open.class);
    if (baseWeights.isAuto()) {
      open.add(MemoryChoice.Open.OFFLOAD_RATIO);
    }
    if (activations.checkpointIsAuto()) {
      open.add(MemoryChoice.Open.RECOMPUTED_LAYERS);
    }
    if (activations.hostLayersAreAuto()) {
      open.add(MemoryChoice.Open.HOST_LAYERS);
    }
    return open;
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

  /**
   * How the frozen weights are held.
   *
   * @param shard among which ranks they are split
   * @param offloadRatio share of a rank's frozen weights that waits in host memory, or {@code auto}
   * @param bothLayouts whether FP8 weights are kept by columns too
   * @param exactEdges layers at either end that stay in the compute dtype
   */
  public record BaseWeights(
      DType dtype,
      FrozenLayers.Shard shard,
      JsonNode offloadRatio,
      boolean bothLayouts,
      int exactEdges)
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
   * @param attention whose kernels compute attention on GPUs
   * @param head of those with the head
   */
  public record Compute(DType dtype, DType matmul, AttentionLibrary attention, HeadProducts head)
      implements Serializable {}

  /**
   * What becomes of activations between forward and backward.
   *
   * @param checkpoint {@code layer}, {@code none}, {@code auto}, or how many of the first layers
   *     keep their input only
   * @param offload whether those inputs wait in host memory
   * @param hostLayers how many layers keep everything in host memory, or {@code auto}; {@code
   *     checkpoint} is about the others
   */
  public record Activations(JsonNode checkpoint, boolean offload, JsonNode hostLayers)
      implements Serializable {
    private static JsonNode checkpoint(int recomputedLayers) {
      return switch (recomputedLayers) {
        case 0 -> TextNode.valueOf("none");
        case Integer.MAX_VALUE -> TextNode.valueOf("layer");
        default -> LongNode.valueOf(recomputedLayers);
      };
    }

    /** Whether memory decides how many layers are computed again. */
    public boolean checkpointIsAuto() {
      return checkpoint.asText().equals("auto");
    }

    /** Whether memory and speed decide how many layers wait on the host. */
    public boolean hostLayersAreAuto() {
      return hostLayers.isTextual();
    }

    /** How many layers keep everything in host memory; 0 as long as that is not decided. */
    public int layersOnHost() {
      return hostLayers.asInt(0);
    }

    /**
     * Whether every layer that does not keep everything in host memory is computed again; also as
     * long as memory has not decided.
     */
    public boolean recomputesAll() {
      return checkpoint.asText().equals("layer") || checkpointIsAuto();
    }

    /** How many of the first layers are computed again; {@link Integer#MAX_VALUE}: all. */
    public int recomputedLayers() {
      return recomputesAll() ? Integer.MAX_VALUE : checkpoint.asInt(0);
    }
  }

  /**
   * AdamW.
   *
   * @param decayNorms whether the weights of norms decay, where they train
   */
  public record Optimizer(
      double learningRate, double weightDecay, boolean decayNorms, List<Double> betas, double eps)
      implements Serializable {}

  /**
   * The learning rate over the steps.
   *
   * @param warmupSteps where set, it takes precedence over {@code warmupRatio}
   * @param warmupRatio share of all steps
   * @param minLrRatio the smallest learning rate of the types that have one, as a share of the
   *     largest
   * @param cycles of the type with restarts
   * @param decaySteps the last steps of the type with a stable stretch; where set, it takes
   *     precedence over {@code decayRatio}
   * @param decayRatio share of all steps
   * @param decayType how these go down
   */
  public record Schedule(
      LearningRateSchedule.Type type,
      Long warmupSteps,
      double warmupRatio,
      double minLrRatio,
      long cycles,
      Long decaySteps,
      double decayRatio,
      String decayType)
      implements Serializable {}

  /**
   * What a run leaves behind on its way.
   *
   * @param everySteps optimizer steps between two checkpoints; 0: none
   * @param keep how many of the last ones stay
   */
  public record Checkpoint(long everySteps, int keep, Resume resume) implements Serializable {}

  /**
   * What is measured and shown of the model before, on the way and after.
   *
   * @param everySteps optimizer steps between two evaluations; 0: before and after only
   * @param keep which adapter is published
   * @param patience evaluations in a row without a gain that end the run; 0: none do
   * @param minDelta how much the held-out loss must fall to be a gain
   * @param sampleRows held-out prompts that are continued at every evaluation
   * @param sampleTokens longest continuation
   */
  public record Evaluation(
      long everySteps,
      TrainingSpec.Keep keep,
      int patience,
      double minDelta,
      int sampleRows,
      int sampleTokens)
      implements Serializable {}

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
   * @param merged whether adapter and model are published as one, or {@code auto}
   */
  public record Output(String path, JsonNode merged) implements Serializable {}

  /**
   * Who else keeps what a run measures.
   *
   * @param mlflowUri of the tracking server; {@code null}: as the environment says
   * @param mlflowExperiment its name; {@code null}: as the environment says
   * @param mlflowRunName {@code null}: the last name of the output folder
   * @param mlflowRegisteredModel gets a new version; {@code null}: none
   * @param mlflowArtifacts whether the adapter is uploaded
   * @param tensorboard whether event files are written
   */
  public record Tracking(
      String mlflowUri,
      String mlflowExperiment,
      String mlflowRunName,
      String mlflowRegisteredModel,
      boolean mlflowArtifacts,
      boolean tensorboard)
      implements Serializable {}

  /**
   * What is taken down of a few steps.
   *
   * @param steps that a trace is made of; 0: none
   */
  public record Profile(int steps) implements Serializable {}

  /** In what form a webhook is told. */
  public enum WebhookFormat {
    /** Slack's where Slack listens, else JSON. */
    AUTO,
    JSON,
    SLACK
  }

  /**
   * Who is told how a run has ended. An address is a secret: whoever has it can write there.
   *
   * @param onSuccess {@code null}: nobody
   * @param onFailure {@code null}: nobody
   */
  public record Webhooks(String onSuccess, String onFailure, WebhookFormat format)
      implements Serializable {

    /** Those addresses that there are. */
    public List<String> addresses() {
      return Stream.of(onSuccess, onFailure).filter(Objects::nonNull).toList();
    }

    /** Without the addresses. */
    @Override
    public String toString() {
      return "%s webhooks".formatted(addresses().size());
    }
  }

  /** The same as a tree, as {@code run.json} shows it: without what is secret. */
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
