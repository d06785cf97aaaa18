package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.optim.Parameters.Gathered;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.trainer.GlooRanks;
import dev.anneal.training.weights.Placement;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What ranks with rows of their own sum bucket by bucket is the gradient of one that has all. */
class GradientOfRanksTest {
  private static final int ACCUMULATION = 2;

  /** Of every micro-batch of two ranks or three; one of the last three learns nothing. */
  private static final int[][] LENGTHS = {{9, 4}, {3, 11, 2}, {7}, {5, 6}, {1}, {8, 2}};

  /** What trains, and how. */
  private enum Trained {
    TIED,
    UNTIED,
    ADAPTERS,
    /** by explicit backwards */
    FUSED_ADAPTERS,
    /** in the second layer alone */
    ONE_LAYER
  }

  @ParameterizedTest
  @CsvSource({
    "TIED, 2", "UNTIED, 2", "ADAPTERS, 2", "FUSED_ADAPTERS, 2", "ONE_LAYER, 2",
    "TIED, 3", "UNTIED, 3", "ADAPTERS, 3", "FUSED_ADAPTERS, 3", "ONE_LAYER, 3"
  })
  void equalsThatOfOne(Trained trained, int worldSize) throws Exception {
    List<Throwable> thrown = GlooRanks.run(worldSize, world -> assertEquals(trained, world));
    assertThat(thrown).containsOnlyNulls();
  }

  /** Whether they are whole on every rank or come layer by layer, and what the forward keeps. */
  @ParameterizedTest
  @CsvSource({
    "ADAPTERS, CHECKPOINT, 2",
    "ADAPTERS, CHECKPOINT, 3",
    "FUSED_ADAPTERS, CHECKPOINT, 1",
    "FUSED_ADAPTERS, CHECKPOINT, 2",
    "FUSED_ADAPTERS, KEEP, 3",
    "FUSED_ADAPTERS, FIRST, 2",
    "ONE_LAYER, CHECKPOINT, 2"
  })
  void howAdaptersComeTogetherChangesNoBit(Trained trained, String kept, int ranks)
      throws Exception {
    KeptActivations activations =
        switch (kept) {
          case "KEEP" -> KeptActivations.ALL;
          case "FIRST" -> KeptActivations.INPUTS.first(1);
          default -> KeptActivations.INPUTS;
        };
    List<Throwable> thrown =
        GlooRanks.run(ranks, world -> assertSameBits(trained, activations, world));
    assertThat(thrown).containsOnlyNulls();
  }

  private static void assertSameBits(
      Trained trained, KeptActivations activations, Collectives world) {
    try (TensorScope scope = new TensorScope();
        TrainableModel whole = adapters(trained, world, Gathered.ONCE_A_STEP);
        TrainableModel byLayer = adapters(trained, world, Gathered.BY_BUCKET)) {
      Llama expected = llama(trained, whole, activations);
      Llama found = llama(trained, byLayer, activations);
      for (int a = 0; a < ACCUMULATION; a++) {
        TokenBatch batch = batch(a, world.rank(), world);
        double loss =
            expected.forwardBackward(batch, Dropout.NONE, whole.parameters()::reduce).item_double();
        assertThat(
                found
                    .forwardBackward(batch, Dropout.NONE, byLayer.parameters()::reduce)
                    .item_double())
            .isEqualTo(loss);
        assertThat(found.loss(batch)).isEqualTo(expected.loss(batch));
      }
      whole.parameters().awaitReductions();
      byLayer.parameters().awaitReductions();
      assertThat(byLayer.parameters().ownGradient().equal(whole.parameters().ownGradient()))
          .as("gradients bit for bit")
          .isTrue();
      assertThat(whole.parameters().ownGradient().count_nonzero().item_long()).isPositive();
    }
  }

  private static void assertEquals(Trained trained, Collectives world) throws Exception {
    try (TensorScope scope = new TensorScope();
        TrainableModel alone = model(trained, new SingleRank());
        TrainableModel model = model(trained, world)) {
      Llama expected = llama(trained, alone, KeptActivations.INPUTS);
      Llama found = llama(trained, model, KeptActivations.INPUTS);
      for (int a = 0; a < ACCUMULATION; a++) {
        for (int rank = 0; rank < world.worldSize(); rank++) {
          expected.forwardBackward(batch(a, rank, world), Dropout.NONE, Llama.UNNOTICED);
        }
        found.forwardBackward(
            batch(a, world.rank(), world), Dropout.NONE, model.parameters()::reduce);
      }
      model.parameters().awaitReductions();
      double deviation =
          Deviation.relative(
              whole(model.parameters(), world), whole(alone.parameters(), new SingleRank()));
      System.out.printf(
          "%s ranks, %s: gradient %.2e relative%n", world.worldSize(), trained, deviation);
      assertThat(deviation).isLessThan(1e-6);
    }
  }

  private static TokenBatch batch(int a, int rank, Collectives world) {
    int microBatch = a * world.worldSize() + rank;
    List<TokenSequence> rows = Rows.random(37, microBatch, LENGTHS[microBatch]);
    return TokenBatch.of(rows);
  }

  private static TrainableModel model(Trained trained, Collectives world) {
    LoudWeights weights = new LoudWeights(1);
    return switch (trained) {
      case TIED -> full(Embeddings.TIED, weights, world);
      case UNTIED -> full(Embeddings.UNTIED, weights, world);
      case ADAPTERS, FUSED_ADAPTERS, ONE_LAYER -> adapters(trained, world, Gathered.ONCE_A_STEP);
    };
  }

  private static TrainableModel full(
      Embeddings embeddings, LoudWeights weights, Collectives world) {
    return TinyModels.full(TinyModels.config(embeddings), weights, DType.FP32, Device.CPU, world);
  }

  private static TrainableModel adapters(Trained trained, Collectives world, Gathered gathered) {
    String modules = trained == Trained.ONE_LAYER ? "layers.1.self_attn.q_proj" : "all-linear";
    return TinyModels.lora(
        TinyModels.config(Embeddings.UNTIED),
        new LoudWeights(1),
        new LoraSpec(3, 6, 0, false, List.of(modules)),
        new LoudWeights(2),
        new Placement(Device.CPU, DType.FP32, DType.FP32, new SingleRank(), 0),
        world,
        gathered);
  }

  private static Llama llama(Trained trained, TrainableModel model, KeptActivations activations) {
    return trained == Trained.FUSED_ADAPTERS && model instanceof LoraModel lora
        ? FusedLlama.of(lora, Device.CPU, new PlainKernels(), Matmul.COMPUTE, activations)
        : Llama.reference(model, Device.CPU, DType.FP32, activations);
  }

  /** The gradients of all parameters end to end, without padding. */
  private static Tensor whole(Parameters parameters, Collectives world) {
    try (TensorScope scope = new TensorScope()) {
      Tensor[] buckets = new Tensor[parameters.layout().buckets().size()];
      for (int bucket = 0; bucket < buckets.length; bucket++) {
        long part = parameters.layout().parts().part(bucket);
        Tensor own =
            parameters.ownGradient().narrow(0, parameters.layout().parts().offset(bucket), part);
        Tensor gathered = part == 0 || world.worldSize() == 1 ? own : world.allGather(own);
        buckets[bucket] = gathered.narrow(0, 0, parameters.layout().parts().numels().get(bucket));
      }
      return scope.keep(Tensors.cat(buckets));
    }
  }
}
