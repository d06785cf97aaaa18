package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Rows;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.fused.FusedLlama.Columns;
import dev.anneal.training.fused.FusedLlama.Settings;
import dev.anneal.training.kernel.CudaKernels;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.FrozenVocabulary;
import dev.anneal.training.weights.Placement;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.WeightReader;
import dev.anneal.training.weights.reader.Weights;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Layers of the shape of Llama 3.1 8B: FP8 and our kernels against bf16 and plain ones. As in a
 * trained model, a layer adds to a residual stream that is larger than what it adds.
 */
@Tag("gpu")
class Fp8GradientTest {
  private static final Device GPU = Device.gpu(0);
  private static final LlamaConfig CONFIG = LlamaConfig.named("llama3.1-8b").withLayers(4);

  /** Deviation of the embedding; each layer adds about one. */
  private static final double RESIDUAL = 4;

  private static final LoraSpec LORA = new LoraSpec(64, 64, 0, false, List.of("all-linear"));

  @BeforeEach
  void load() {
    NativeLibraries.load();
    GpuMath.deterministic();
  }

  @Test
  void adapterGradientsPointWhereBf16OnesDo() {
    try (TensorScope scope = new TensorScope();
        Kernels kernels = new CudaKernels(GPU)) {
      Tensor bf16 = gradient(DType.BF16, Matmul.COMPUTE, kernels);
      Tensor fp8Weights = gradient(DType.FP8, Matmul.COMPUTE, kernels);
      Tensor fp8 = gradient(DType.FP8, Matmul.FP8, kernels);
      System.out.printf(
          "cosine of adapter gradients with those in bf16: FP8 weights %.5f, FP8 products too %.5f;"
              + " of the products alone %.5f%n",
          cosine(fp8Weights, bf16), cosine(fp8, bf16), cosine(fp8, fp8Weights));
      Map<String, Tensor> expected = parts(bf16);
      Map<String, Tensor> weights = parts(fp8Weights);
      parts(fp8)
          .forEach(
              (name, part) ->
                  System.out.printf(
                      "  %-40s norm %.3e  FP8 weights %.5f  and products %.5f%n",
                      name.replaceAll(".*layers", "layers"),
                      part.norm().item_double(),
                      cosine(weights.get(name), expected.get(name)),
                      cosine(part, expected.get(name))));
      assertThat(cosine(fp8, bf16)).isGreaterThan(0.99);
    }
  }

  @Test
  void aHeadInFp8TurnsTheGradientLittle() {
    try (TensorScope scope = new TensorScope();
        Kernels kernels = new CudaKernels(GPU)) {
      Tensor exact = gradient(DType.FP8, kernels, Columns.MADE, HeadProducts.EXACT);
      for (HeadProducts head : List.of(HeadProducts.FP8_BACKWARD, HeadProducts.FP8)) {
        double cosine = cosine(gradient(DType.FP8, kernels, Columns.MADE, head), exact);
        System.out.printf(
            Locale.ROOT, "cosine of adapter gradients, head %s and exact: %.6f%n", head, cosine);
        assertThat(cosine).isGreaterThan(0.99);
      }
    }
  }

  @Test
  void columnsThatAreKeptChangeNoBit() {
    try (TensorScope scope = new TensorScope();
        Kernels kernels = new CudaKernels(GPU)) {
      Tensor made = gradient(DType.FP8, kernels, Columns.MADE, HeadProducts.EXACT);
      Tensor kept = gradient(DType.FP8, kernels, Columns.KEPT, HeadProducts.EXACT);
      assertThat(kept.equal(made)).isTrue();
    }
  }

  private static Map<String, Tensor> parts(Tensor flat) {
    Map<String, Tensor> parts = new LinkedHashMap<>();
    long offset = 0;
    for (List<Parameters.Shape> layer : LoraModel.shapes(CONFIG, LoraLayout.of(LORA, CONFIG))) {
      for (Parameters.Shape shape : layer) {
        parts.put(shape.name(), flat.narrow(0, offset, shape.numel()));
        offset += shape.numel();
      }
    }
    return parts;
  }

  @Test
  void ourKernelsGiveTheGradientsOfPlainOnes() {
    try (TensorScope scope = new TensorScope();
        Kernels kernels = new CudaKernels(GPU)) {
      double cosine =
          cosine(
              gradient(DType.BF16, Matmul.COMPUTE, kernels),
              gradient(DType.BF16, Matmul.COMPUTE, new PlainKernels()));
      System.out.printf("cosine of adapter gradients, ours and plain: %.6f%n", cosine);
      assertThat(cosine).isGreaterThan(0.999);
    }
  }

  /** Of layers by the kernel that takes adapters along, and composed by cuBLASLt. */
  @ParameterizedTest
  @CsvSource({"FP8, 0.99", "COMPUTE, 0.999"})
  void productsThatTakeAdaptersAlongTurnTheGradientLittle(Matmul matmul, double least) {
    try (TensorScope scope = new TensorScope();
        Kernels kernels = new CudaKernels(GPU)) {
      Tensor fused = gradient(DType.FP8, matmul, kernels, "fused");
      double cosine = cosine(fused, gradient(DType.FP8, matmul, kernels, "cublaslt"));
      System.out.printf(
          Locale.ROOT,
          "cosine of adapter gradients, fused and composed, %s: %.6f%n",
          matmul,
          cosine);
      assertThat(cosine).isGreaterThan(least);
      assertThat(gradient(DType.FP8, matmul, kernels, "fused").equal(fused)).isTrue();
    }
  }

  private static Tensor gradient(DType stored, Matmul matmul, Kernels kernels, String products) {
    System.setProperty(Products.PROPERTY, products);
    try {
      return gradient(stored, matmul, kernels);
    } finally {
      System.clearProperty(Products.PROPERTY);
    }
  }

  private static double cosine(Tensor left, Tensor right) {
    return left.mul(right).sum().item_double()
        / (left.norm().item_double() * right.norm().item_double());
  }

  /** {@code [n]} fp64 on the device. */
  private static Tensor gradient(DType stored, Matmul matmul, Kernels kernels) {
    return gradient(stored, kernels, Settings.of(matmul, KeptActivations.INPUTS));
  }

  private static Tensor gradient(
      DType stored, Kernels kernels, Columns columns, HeadProducts head) {
    Settings settings =
        new Settings(Matmul.FP8, KeptActivations.INPUTS, columns, head, Objective.CROSS_ENTROPY);
    return gradient(stored, kernels, settings);
  }

  private static Tensor gradient(DType stored, Kernels kernels, Settings settings) {
    try (TensorScope scope = new TensorScope();
        LoraModel model = model(stored)) {
      Llama llama = FusedLlama.of(model, GPU, kernels, settings);
      TokenBatch batch = TokenBatch.of(Rows.random(CONFIG.vocabSize(), 3, 700, 1, 300, 1024, 23));
      llama.forwardBackward(batch, Dropout.NONE, Llama.UNNOTICED);
      return scope.keep(model.parameters().ownGradient().to(ScalarType.Double));
    }
  }

  private static LoraModel model(DType stored) {
    try (WeightReader weights = Weights.open(new ModelSource.Random(CONFIG, 1));
        NoGrad noGrad = new NoGrad()) {
      LoraLayout layout = LoraLayout.of(LORA, CONFIG);
      Parameters parameters =
          new Parameters(LoraModel.shapes(CONFIG, layout), DType.BF16, GPU, new SingleRank());
      // B is not zero, so that every A has a gradient
      Tensor master = parameters.master();
      Tensor noise = Tensors.empty(ScalarType.Float, master.numel());
      master.copy_(Tensors.normal(noise, 0.01, 7));
      parameters.publish();
      FrozenLayers frozen =
          FrozenLayers.load(
              CONFIG, new Placement(GPU, stored, DType.BF16, new SingleRank(), 0), weights);
      FrozenVocabulary vocabulary = new FrozenVocabulary(CONFIG, frozen);
      weights.stream(vocabulary.wanted(), GPU, LoadProgress.IGNORED);
      // whole on this one GPU, so it is the weight itself
      vocabulary.embedTokens().mul_(Tensors.scalar(RESIDUAL / 0.02));
      return new LoraModel(
          CONFIG,
          layout,
          parameters,
          frozen,
          vocabulary,
          Tensors.to(GPU, weights.read(TensorNames.NORM, DType.BF16, CONFIG.hiddenSize())));
    }
  }
}
