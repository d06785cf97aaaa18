package dev.anneal.spark.preflight;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.DType;
import java.util.List;
import java.util.OptionalInt;

/** What is worth knowing of adapters before they are trained on GPUs, in sentences. */
public final class AdapterNotes {
  private AdapterNotes() {}

  /** Of those that a run trains. */
  public static List<String> of(AnnealConfig config, LoraLayout layout) {
    if (config.cluster().gpusPerNode() == 0 || config.compute().dtype() != DType.BF16) {
      return List.of();
    }
    if (config.lora().useDora()) {
      return List.of(
          "with lora.use_dora=true layers are computed by libtorch's autograd: the fused kernels know plain LoRA alone.");
    }
    OptionalInt odd = oddRank(layout);
    return odd.isPresent() && BuildCheck.isFused(config)
        ? List.of(
            "a rank of %1$s is no multiple of %2$s, so its products go by libtorch, which rounds the gradient of each micro-batch to bf16 before it is added; cuBLASLt, which does not, takes a rank of %3$s."
                .formatted(odd.getAsInt(), Products.RANKS, next(odd.getAsInt())))
        : List.of();
  }

  /** The smallest rank whose rows cuBLASLt does not take. */
  private static OptionalInt oddRank(LoraLayout layout) {
    return layout.layers().stream()
        .flatMap(layer -> layer.values().stream())
        .mapToInt(LoraLayout.Adapter::r)
        .filter(r -> r % Products.RANKS != 0)
        .min();
  }

  private static int next(int r) {
    return (r / Products.RANKS + 1) * Products.RANKS;
  }
}
