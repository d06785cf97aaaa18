package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.Device;

/** A Llama with trained adapters and frozen weights, by explicit backwards over fused kernels. */
public final class FusedLlama {
  /** Logits that exist at once: 2,093 tokens of the vocabulary of Llama 3, 512 MiB in bf16. */
  static final long MAX_LOGITS = 1L << 28;

  private FusedLlama() {}

  /** In the current tensor scope; on GPUs the compute dtype is bf16. */
  public static Llama of(
      LoraModel model, Device device, Kernels kernels, Matmul matmul, Activations activations) {
    return of(model, device, kernels, matmul, activations, Objective.CROSS_ENTROPY);
  }

  /** The same, whose gradient is that of {@code objective}. */
  public static Llama of(
      LoraModel model,
      Device device,
      Kernels kernels,
      Matmul matmul,
      Activations activations,
      Objective objective) {
    RowAttention attention = device.isGpu() ? new FlashAttention() : new PlainAttention();
    return of(model, device, kernels, matmul, activations, objective, attention);
  }

  static Llama of(
      LoraModel model,
      Device device,
      Kernels kernels,
      Matmul matmul,
      Activations activations,
      Objective objective,
      RowAttention attention) {
    LlamaConfig config = model.config();
    long maxIn = 0;
    long maxWeight = 0;
    for (ModuleGroup group : ModuleGroup.values()) {
      long in = group.inFeatures(config);
      maxIn = Math.max(maxIn, in);
      maxWeight = Math.max(maxWeight, in * group.outFeatures(config));
    }
    FrozenProducts products = new FrozenProducts(matmul, kernels, model.norm(), maxWeight, maxIn);
    return new Llama(
        model,
        device,
        new FusedLayers(model, device, kernels, products, attention),
        new FusedHead(model, kernels, objective, MAX_LOGITS),
        activations);
  }
}
