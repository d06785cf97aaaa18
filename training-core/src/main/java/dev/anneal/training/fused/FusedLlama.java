package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.Device;

/** A Llama with trained adapters and frozen weights, by explicit backwards over fused kernels. */
public final class FusedLlama {
  /** Logits that exist at once: 2,093 tokens of the vocabulary of Llama 3, 512 MiB in bf16. */
  static final long MAX_LOGITS = 1L << 28;

  /** What becomes of the columns of FP8 weights, which the backward multiplies by. */
  public enum Columns {
    /** They are made for every product. */
    MADE,
    /** They are made once and kept, which takes as much again as the weights do. */
    KEPT
  }

  /**
   * What there is a choice of.
   *
   * @param matmul what products with the layers' frozen weights are computed in
   * @param objective whose gradient it is
   */
  public record Settings(
      Matmul matmul,
      KeptActivations activations,
      Columns columns,
      HeadProducts head,
      Objective objective) {
    /** The choices that take no more memory and round nothing more. */
    public static Settings of(Matmul matmul, KeptActivations activations) {
      return new Settings(
          matmul, activations, Columns.MADE, HeadProducts.EXACT, Objective.CROSS_ENTROPY);
    }

    /** The same for another objective. */
    public Settings with(Objective other) {
      return new Settings(matmul, activations, columns, head, other);
    }
  }

  private FusedLlama() {}

  /** In the current tensor scope; on GPUs the compute dtype is bf16. */
  public static Llama of(
      LoraModel model, Device device, Kernels kernels, Matmul matmul, KeptActivations activations) {
    return of(model, device, kernels, Settings.of(matmul, activations));
  }

  /** The same by {@code settings}. */
  public static Llama of(LoraModel model, Device device, Kernels kernels, Settings settings) {
    RowAttention attention = device.isGpu() ? new FlashAttention() : new PlainAttention();
    return of(model, device, kernels, settings, attention, Products.on(device));
  }

  /** Likewise, with the products and the attention of a run. */
  public static Llama of(
      LoraModel model,
      Device device,
      Kernels kernels,
      Settings settings,
      FusedAttention attention,
      Products products) {
    return of(model, device, kernels, settings, attention.rows(), products);
  }

  static Llama of(
      LoraModel model,
      Device device,
      Kernels kernels,
      Settings settings,
      RowAttention attention,
      Products products) {
    LoraLinears linears = new LoraLinears(model, kernels, products, settings);
    return new Llama(
        model,
        device,
        ids -> model.vocabulary().embed(ids, kernels),
        new FusedLayers(model, device, kernels, linears, attention),
        new FusedHead(model, kernels, products, settings.head(), settings.objective(), MAX_LOGITS),
        settings.activations());
  }
}
