package dev.anneal.training.trainer;

import static java.util.Locale.ROOT;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.model.FullModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import java.util.Optional;
import java.util.stream.IntStream;

/** Whether all weights of a model can train on GPUs of some size, as far as it is known before. */
public final class FullTuningMemory {
  /** More GPUs than this are nobody's remedy. */
  private static final int MOST_GPUS = 1024;

  private FullTuningMemory() {}

  /**
   * What to tell whose GPUs are too small: each holds all weights in the compute dtype, and of the
   * fp32 weights, their gradient and AdamW's two moments an equal part.
   *
   * @param gpus ranks of the run
   * @param gpuBytes memory of the smallest
   * @return a sentence, or nothing where all but the activations surely fits
   */
  public static Optional<String> lacking(
      LlamaConfig config, DType computeDtype, int gpus, long gpuBytes) {
    long count = FullModel.count(config);
    long bytes = bytes(config, computeDtype, gpus);
    if (bytes <= gpuBytes) {
      return Optional.empty();
    }
    String more =
        IntStream.rangeClosed(gpus + 1, MOST_GPUS)
            .filter(n -> bytes(config, computeDtype, n) <= gpuBytes)
            .mapToObj("take %s GPUs or more, "::formatted)
            .findFirst()
            .orElse("");
    return Optional.of(
        String.format(
            ROOT,
            "training.mode is full, and %.1f billion weights with their gradient and AdamW's moments take %.1f GB on %s, but a GPU has %.1f GB: %sset training.mode=lora, or train a smaller model.",
            count / 1e9,
            bytes / 1e9,
            gpus == 1 ? "one GPU" : "each of %s GPUs".formatted(gpus),
            gpuBytes / 1e9,
            more));
  }

  private static long bytes(LlamaConfig config, DType computeDtype, int gpus) {
    return MemoryTable.trained(config, computeDtype, gpus).total();
  }

  /**
   * @throws InvalidModelException if the model is too large for the rank's GPU
   */
  static void require(LlamaConfig config, DType computeDtype, Ranks ranks) {
    if (ranks.device().isGpu()) {
      long gpuBytes = new GpuMemory(ranks.device()).totalBytes();
      lacking(config, computeDtype, ranks.world().worldSize(), gpuBytes)
          .ifPresent(
              sentence -> {
                throw new InvalidModelException(sentence);
              });
    }
  }
}
