package dev.anneal.training.trainer;

import dev.anneal.training.io.FileContent;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.reader.ParameterFile;
import java.io.IOException;
import java.util.List;

/** Writes what a run has trained in the form that PEFT, vLLM and transformers load. */
final class ResultWriter {
  private ResultWriter() {}

  /**
   * Every rank calls it; rank 0 writes.
   *
   * @return what rank 0 has written
   */
  static List<WrittenFile> write(
      TrainingSpec spec, TrainingRun.Inputs inputs, TrainableModel model, Ranks ranks)
      throws IOException {
    if (ranks.rank() != 0) {
      ParameterFile.contribute(model.parameters());
      return List.of();
    }
    OutputFolder output = inputs.output();
    return switch (spec.mode()) {
      case LORA ->
          List.of(
              ParameterFile.content(model.parameters(), DType.FP32, form(model))
                  .writeAs(output, SafetensorsIndex.ADAPTER_FILE),
              FileContent.text(adapterConfig(model, inputs).toJson())
                  .writeAs(output, PeftConfig.FILE));
      case FULL ->
          List.of(
              ParameterFile.content(model.parameters(), spec.weights().dtype())
                  .writeAs(output, SafetensorsIndex.MODEL_FILE),
              FileContent.text(model.config().toJson(torchDtype(spec.weights().dtype())))
                  .writeAs(output, LlamaConfig.FILE));
    };
  }

  /** What says how the adapters of {@code model} are to be used; {@code null} if it has none. */
  static PeftConfig adapterConfig(TrainableModel model, TrainingRun.Inputs inputs) {
    return model instanceof LoraModel lora
        ? new PeftConfig(lora.layout().published().plain(), inputs.baseModelName())
        : null;
  }

  private static ParameterFile.Form form(TrainableModel model) {
    return model instanceof LoraModel lora ? lora.form() : ParameterFile.Form.PLAIN;
  }

  private static String torchDtype(DType dtype) {
    return switch (dtype) {
      case FP32 -> "float32";
      case BF16 -> "bfloat16";
      case FP8 -> throw new IllegalArgumentException("trained weights are not stored in FP8");
    };
  }
}
