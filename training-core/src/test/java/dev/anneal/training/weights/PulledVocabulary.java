package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.RandomWeights;
import dev.anneal.training.weights.reader.WantedRows;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** What a rank does with an embedding and a head of which its peers have rows too. */
final class PulledVocabulary {
  private static final int STEPS = 3;
  private static final int TOKENS = 500;

  /** What is done with the matrices and the layers that they belong to. */
  interface Work {
    void run(FrozenLayers decoder, FrozenVocabulary vocabulary);
  }

  private PulledVocabulary() {}

  static LlamaConfig config(int vocabulary, int hidden) {
    return new LlamaConfig(
        vocabulary, hidden, 96, 2, 4, 2, 8, 1e-5, null, 10_000, 64, false, null, List.of());
  }

  /** Does {@code work} in a tensor scope of its own, with the same random weights every time. */
  static void with(LlamaConfig config, Placement placement, PeerArena arena, Work work) {
    try (TensorScope scope = new TensorScope();
        FrozenLayers decoder = new FrozenLayers(config, placement, LoadProgress.IGNORED, arena)) {
      FrozenVocabulary vocabulary = new FrozenVocabulary(config, decoder);
      List<WantedRows> wanted = new ArrayList<>(decoder.wanted());
      wanted.addAll(vocabulary.wanted());
      new RandomWeights(config, 3).stream(wanted, placement.device(), LoadProgress.IGNORED);
      decoder.complete();
      work.run(decoder, vocabulary);
    }
  }

  /** Whatever way they come, rows and matrices are those that one rank has by itself. */
  static void check(
      LlamaConfig config, DType compute, Placement placement, PeerArena arena, Kernels kernels) {
    Device device = placement.device();
    Placement alone = new Placement(device, DType.BF16, compute, new SingleRank(), 0);
    with(
        config,
        alone,
        PeerArena.ordinary(device, null, ""),
        (single, whole) ->
            with(
                config,
                placement,
                arena,
                (decoder, vocabulary) -> check(config, whole, decoder, vocabulary, kernels)));
  }

  private static void check(
      LlamaConfig config,
      FrozenVocabulary whole,
      FrozenLayers decoder,
      FrozenVocabulary vocabulary,
      Kernels kernels) {
    assertThat(decoder.whyGathered()).isEmpty();
    Placement placement = decoder.placement();
    int rank = placement.ranks().rank();
    for (int step = 0; step < STEPS; step++) {
      try (TensorScope scope = new TensorScope()) {
        Tensor ids = Tensors.to(placement.device(), ids(config.vocabSize(), 10 * step + rank));
        Tensor rows = vocabulary.embed(ids, kernels);
        decoder.use(0, 1);
        vocabulary.expectLmHead();
        decoder.use(1, FrozenLayers.NONE);
        Tensor head = vocabulary.lmHead();
        assertThat(rows.equal(torch.embedding(whole.embedTokens(), ids)))
            .as("rows of rank %s in step %s", rank, step)
            .isTrue();
        assertThat(head.equal(whole.lmHead())).as("head of rank %s", rank).isTrue();
      }
    }
    placement.ranks().check();
    placement.ranks().barrier();
  }

  /** Of the first row, the last, and rows at random; some of them twice. */
  private static Tensor ids(int vocabulary, int seed) {
    LongStream random = new SplittableRandom(seed).longs(TOKENS, 0, vocabulary);
    return Tensors.of(
        LongStream.concat(LongStream.of(vocabulary - 1, 0, vocabulary - 1), random).toArray());
  }
}
