package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Llama.Activations;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.Device;

/** A Llama with trained adapters and frozen weights, by explicit backwards over fused kernels. */
public final class FusedLlama {
  /** Logits that exist at once: 2,093 tokens of the vocabulary of Llama 3, 512 MiB in bf16. */
  static final long MAX_LOGITS = 1L << 28;

  private FusedLlama() {}

  /** In the current tensor scope; on GPUs the compute dtype is bf16. */
  public static Llama of(
      LoraModel model, Device device, Kernels kernels, Matmul matmul, Activations activations) {
    RowAttention attention = device.isGpu() ? new FlashAttention() : new PlainAttention();
    return of(model, device, kernels, matmul, activations, attention);
  }

  static Llama of(
      LoraModel model,
      Device device,
      Kernels kernels,
      Matmul matmul,
      Activations activations,
      RowAttention attention) {
    LoraLinears linears = new LoraLinears(model, kernels, Products.on(device), matmul);
    return new Llama(
        model,
        device,
        new FusedLayers(model, device, kernels, linears, attention),
        new FusedHead(model, kernels, MAX_LOGITS),
        activations);
  }
}
