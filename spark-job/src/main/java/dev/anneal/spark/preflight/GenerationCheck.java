package dev.anneal.spark.preflight;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.lora.AdapterCheck;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelCheck;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import java.io.IOException;
import org.apache.spark.SparkConf;

/** Whether a model can be asked, with an adapter if there is one, before Spark starts. */
public final class GenerationCheck {
  private GenerationCheck() {}

  /**
   * Checks it.
   *
   * @return the model's shape
   * @throws BadRequestException if the cluster or the configuration do not serve
   * @throws InvalidModelException if model or adapter cannot be used
   */
  public static LlamaConfig check(AnnealConfig config, SparkConf spark, Storage storage) {
    GpuCheck.check(config, spark);
    BuildCheck.check(config);
    if (config.baseWeights().isAuto()) {
      throw new BadRequestException(
          "base_weights.offload_ratio is auto, which a training run decides: set it to a number, such as the one in the run's run.json.");
    }
    ClusterCheck.check(config, spark);
    ModelLocation location = ModelLocation.of(config.model().path());
    try {
      ModelSource source = location.open(storage, config.training().seed());
      LlamaConfig shape =
          source instanceof ModelSource.Folder model
              ? ModelCheck.check(model.folder()).config()
              : source.config();
      BuildCheck.checkShape(config, shape);
      if (config.lora().initFrom() != null) {
        checkAdapter(
            new StorageModelFolder(config.lora().initFrom(), storage),
            shape,
            config.compute().matmul());
      }
      return shape;
    } catch (IOException e) {
      throw new BadRequestException(
          "The model %s or its adapter cannot be read (%s): check the model and the adapter."
              .formatted(location.display(), e.getMessage()),
          e);
    }
  }

  /**
   * The folder of the tokenizer: the one that is named, else the model's.
   *
   * @throws BadRequestException if there is none
   */
  public static String tokenizer(AnnealConfig config) {
    if (config.model().tokenizer() != null) {
      return config.model().tokenizer();
    }
    ModelLocation model = ModelLocation.of(config.model().path());
    if (model instanceof ModelLocation.Folder folder) {
      return folder.location();
    }
    throw new BadRequestException(
        "The model %s has no tokenizer of its own: add --set model.tokenizer=FOLDER."
            .formatted(model.display()));
  }

  private static void checkAdapter(StorageModelFolder adapter, LlamaConfig shape, DType matmul)
      throws IOException {
    if (!adapter.has(PeftConfig.FILE)) {
      throw new InvalidModelException(
          "There is no adapter in %s: it has no %s; name the folder of a PEFT adapter, such as the adapter/ of a run."
              .formatted(adapter.location(), PeftConfig.FILE));
    }
    LoraLayout layout = LoraLayout.of(PeftConfig.read(adapter).lora(), shape);
    AdapterCheck.check(adapter, shape, layout);
    if (layout.spec().isDora() && matmul == DType.FP8) {
      throw new BadRequestException(
          "The adapter in %s is DoRA, beside which no product is computed in FP8, but compute.matmul is fp8: set compute.matmul=bf16."
              .formatted(adapter.location()));
    }
  }
}
