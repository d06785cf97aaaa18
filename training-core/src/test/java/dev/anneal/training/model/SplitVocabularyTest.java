package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Property;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GatheringThrough;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.trainer.GlooRanks;
import dev.anneal.training.weights.FrozenVocabulary;
import dev.anneal.training.weights.Placement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Ranks that hold parts of embedding and head find to the last bit what a rank finds that holds
 * them whole, whatever each of them has before it: 37 tokens, which neither two nor three ranks
 * divide.
 */
@ExtendWith(InTensorScope.class)
class SplitVocabularyTest {
  /** Target tokens of a chunk of the head. */
  private static final int CHUNK = 3;

  /** How the layers and the head are computed. */
  private enum Path {
    REFERENCE(DType.FP32),
    REFERENCE_OF_FP8(DType.FP8),
    FUSED(DType.FP32),
    FUSED_FP8(DType.FP8);

    private final DType stored;

    Path(DType stored) {
      this.stored = stored;
    }

    Llama llama(LoraModel model) {
      return switch (this) {
        case REFERENCE, REFERENCE_OF_FP8 ->
            Llama.reference(model, Device.CPU, DType.FP32, KeptActivations.INPUTS);
        case FUSED, FUSED_FP8 ->
            FusedLlama.of(
                model,
                Device.CPU,
                new PlainKernels(),
                stored == DType.FP8 ? Matmul.FP8 : Matmul.COMPUTE,
                KeptActivations.INPUTS);
      };
    }
  }

  /** All that can be asked of a model about a batch. */
  private record Found(
      double loss,
      List<Float> gradient,
      double evaluated,
      List<Double> losses,
      List<Float> logits) {}

  static Stream<Arguments> splits() {
    List<Arguments> splits = new ArrayList<>();
    for (Path path : Path.values()) {
      for (Embeddings embeddings : Embeddings.values()) {
        for (int ranks : new int[] {2, 3}) {
          splits.add(Arguments.of(path, embeddings, ranks));
        }
      }
    }
    return splits.stream();
  }

  @ParameterizedTest
  @MethodSource("splits")
  void everyRankFindsWhatWholeMatricesGive(Path path, Embeddings embeddings, int ranks)
      throws Exception {
    List<Found> expected = new ArrayList<>();
    for (int rank = 0; rank < ranks; rank++) {
      expected.add(find(path, embeddings, new SingleRank(), rank));
    }
    List<Found> found = new ArrayList<>(Collections.nCopies(ranks, null));
    List<Throwable> thrown =
        GlooRanks.run(
            ranks,
            world -> {
              try (TensorScope scope = new TensorScope()) {
                found.set(world.rank(), find(path, embeddings, world, world.rank()));
              }
            });
    assertThat(thrown).containsOnlyNulls();
    assertThat(found).isEqualTo(expected);
    assertThat(expected.get(0).gradient()).anyMatch(value -> value != 0);
    // the one with nothing to learn, for whom the others must not wait
    assertThat(expected.get(1).losses()).isEmpty();
    assertThat(expected.get(1).loss()).isZero();
  }

  /**
   * A micro-batch brings the embedding together once and the head once, however many chunks the
   * head takes; so does whatever asks without a gradient.
   */
  @ParameterizedTest
  @CsvSource({"TIED, small", "UNTIED, small", "UNTIED, never"})
  void eachMatrixIsBroughtTogetherOncePerPass(Embeddings embeddings, String head) throws Exception {
    try (Property property = Property.set(FrozenVocabulary.HEAD_PROPERTY, head)) {
      assertEachComesOncePerPass(embeddings);
    }
  }

  private static void assertEachComesOncePerPass(Embeddings embeddings) throws Exception {
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world -> {
              Counting ranks = new Counting(world, new AtomicInteger());
              try (TensorScope scope = new TensorScope();
                  LoraModel model = model(Path.REFERENCE, embeddings, ranks)) {
                for (Llama llama : List.of(inChunks(model), Path.FUSED.llama(model))) {
                  TokenBatch batch = TokenBatch.of(rows(0));
                  assertThat(batch.targetTokens()).isGreaterThan(2 * CHUNK);
                  ranks.vocabulary().set(0);
                  llama.forwardBackward(batch, Dropout.NONE, Llama.UNNOTICED);
                  assertThat(ranks.vocabulary().getAndSet(0)).as("of a micro-batch").isEqualTo(2);
                  llama.loss(batch);
                  assertThat(ranks.vocabulary().getAndSet(0)).as("of a loss").isEqualTo(2);
                  llama.losses(batch);
                  assertThat(ranks.vocabulary().getAndSet(0)).as("of losses").isEqualTo(2);
                  llama.logits(batch, Tensors.of(new long[] {3}));
                  assertThat(ranks.vocabulary().getAndSet(0)).as("of logits").isEqualTo(2);
                  llama.emptyActivations(1);
                  assertThat(ranks.vocabulary().get()).as("of nothing").isZero();
                }
              }
            });
    assertThat(thrown).containsOnlyNulls();
  }

  private static Llama inChunks(LoraModel model) {
    return new Llama(
        model,
        Device.CPU,
        new AutogradLayers(model, Device.CPU, DType.FP32),
        new AutogradHead(model, Objective.CROSS_ENTROPY, CHUNK * 37L),
        KeptActivations.INPUTS);
  }

  /**
   * Ranks that count.
   *
   * @param vocabulary gathers of a matrix of 37 rows as 38
   */
  private record Counting(Collectives world, AtomicInteger vocabulary) implements GatheringThrough {
    @Override
    public void allGatherInto(Tensor whole, Tensor shard) {
      if (whole.nbytes() == 38 * 24 * Float.BYTES) {
        vocabulary.incrementAndGet();
      }
      world.allGatherInto(whole, shard);
    }
  }

  /**
   * @param shard whom the frozen weights are split over
   */
  private static Found find(Path path, Embeddings embeddings, Collectives shard, int rank) {
    try (LoraModel model = model(path, embeddings, shard)) {
      Llama llama = path.llama(model);
      TokenBatch batch = TokenBatch.of(rows(rank));
      double loss = llama.forwardBackward(batch, Dropout.NONE, Llama.UNNOTICED).item_double();
      List<Float> gradient = floats(model.parameters().ownGradient());
      double evaluated = llama.loss(batch);
      List<Double> losses = new ArrayList<>();
      for (double each : llama.losses(batch)) {
        losses.add(each);
      }
      Tensor logits = llama.logits(batch, Tensors.of(new long[] {0, batch.tokens() - 1L}));
      return new Found(loss, gradient, evaluated, losses, floats(logits));
    }
  }

  private static LoraModel model(Path path, Embeddings embeddings, Collectives shard) {
    return TinyModels.lora(
        TinyModels.config(embeddings),
        new LoudWeights(1),
        new LoraSpec(3, 6, 0, false, List.of("all-linear")),
        new LoudWeights(2),
        new Placement(Device.CPU, path.stored, DType.FP32, shard, 0));
  }

  /** As many tokens as no other rank has; rank 1 learns none of them. */
  private static List<TokenSequence> rows(int rank) {
    if (rank == 1) {
      int[] ids = Rows.random(37, 5, 9).get(0).inputIds();
      return List.of(new TokenSequence(ids, new int[] {ids.length}, new int[0]));
    }
    return Rows.random(37, 3 + rank, 17 - rank, 1, 5 + 2 * rank);
  }

  private static List<Float> floats(Tensor tensor) {
    List<Float> values = new ArrayList<>();
    for (double value : Tensors.doubles(tensor.to(ScalarType.Double).contiguous())) {
      values.add((float) value);
    }
    return values;
  }
}
