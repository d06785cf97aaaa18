package dev.anneal.training.trainer;

import dev.anneal.training.io.CheckpointIndex;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.LlamaConfig;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.ParameterFile;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Writes what a run has trained in the form that PEFT, vLLM and transformers load. */
final class ResultWriter {
  private ResultWriter() {}

  /** Every rank calls it; rank 0 writes. */
  static void write(TrainingSpec spec, TrainingRun.Inputs inputs, TrainableModel model, Ranks ranks)
      throws IOException {
    if (ranks.rank() != 0) {
      ParameterFile.contribute(model.parameters());
      return;
    }
    OutputFolder output = inputs.output();
    switch (spec.mode()) {
      case LORA -> {
        ParameterFile.write(model.parameters(), DType.FP32, output, CheckpointIndex.ADAPTER_FILE);
        text(output, PeftConfig.FILE, new PeftConfig(spec.lora(), inputs.baseModelName()).toJson());
      }
      case FULL -> {
        ParameterFile.write(
            model.parameters(), spec.baseDtype(), output, CheckpointIndex.MODEL_FILE);
        text(output, LlamaConfig.FILE, model.config().toJson(torchDtype(spec.baseDtype())));
      }
    }
  }

  private static String torchDtype(DType dtype) {
    return switch (dtype) {
      case FP32 -> "float32";
      case BF16 -> "bfloat16";
      case FP8 -> throw new IllegalArgumentException("trained weights are not stored in FP8");
    };
  }

  private static void text(OutputFolder folder, String file, String text) throws IOException {
    try (OutputStream out = folder.create(file)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
  }
}
