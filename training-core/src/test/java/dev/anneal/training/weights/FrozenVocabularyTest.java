package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Property;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.FirstOfTwo;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.peer.CopyStream;
import dev.anneal.training.peer.ForwardingCopies;
import dev.anneal.training.peer.HostPeerDriver;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.WeightReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** However embedding and head lie, whoever asks for them gets what was read. */
@ExtendWith(InTensorScope.class)
class FrozenVocabularyTest {
  private static final WeightReader WEIGHTS = new LoudWeights(4);

  /** Of 37 rows; of 50 ranks the last thirteen hold none. */
  private static final int[] RANKS = {2, 3, 7, 10, 50};

  /** The matrices and the layers they belong to, so that gathers of both kinds meet. */
  private record Model(FrozenLayers decoder, FrozenVocabulary vocabulary) implements AutoCloseable {
    static Model load(LlamaConfig config, DType compute, Collectives ranks) {
      Placement placement = new Placement(Device.CPU, DType.FP32, compute, ranks, 0);
      FrozenLayers decoder = FrozenLayers.load(config, placement, WEIGHTS);
      FrozenVocabulary vocabulary = new FrozenVocabulary(config, decoder);
      WEIGHTS.stream(vocabulary.wanted(), Device.CPU, LoadProgress.IGNORED);
      return new Model(decoder, vocabulary);
    }

    @Override
    public void close() {
      decoder.close();
    }
  }

  static Stream<Arguments> splits() {
    List<Arguments> splits = new ArrayList<>();
    for (Embeddings embeddings : Embeddings.values()) {
      for (DType compute : List.of(DType.FP32, DType.BF16)) {
        for (int ranks : RANKS) {
          splits.add(Arguments.of(embeddings, compute, ranks));
        }
      }
    }
    return splits.stream();
  }

  @ParameterizedTest
  @MethodSource("splits")
  void whatIsBroughtTogetherIsWhatWasRead(Embeddings embeddings, DType compute, int ranks) {
    LlamaConfig config = TinyModels.config(embeddings);
    Tensor embedTokens = read(config, TensorNames.EMBED_TOKENS, compute);
    Tensor lmHead =
        config.tieWordEmbeddings() ? embedTokens : read(config, TensorNames.LM_HEAD, compute);
    FrozenLayers resident = Model.load(config, compute, new SingleRank()).decoder();
    ThreadRanks.run(
        ranks,
        rank -> {
          try (Model model = Model.load(config, compute, rank)) {
            for (int step = 0; step < 2; step++) {
              try (TensorScope scope = new TensorScope()) {
                assertSame(model.vocabulary().embedTokens(), embedTokens);
                FrozenLayer layer = model.decoder().use(0, 1);
                FrozenLayersTest.assertSame(layer, resident.use(0, FrozenLayers.NONE));
                assertSame(model.vocabulary().lmHead(), lmHead);
                layer = model.decoder().use(1, 0);
                FrozenLayersTest.assertSame(layer, resident.use(1, FrozenLayers.NONE));
              }
            }
          }
          return null;
        });
  }

  private static void assertSame(Tensor found, Tensor expected) {
    assertThat(found.is_contiguous()).isTrue();
    assertThat(found.equal(expected)).isTrue();
  }

  private static Tensor read(LlamaConfig config, String name, DType compute) {
    return WEIGHTS
        .read(name, DType.FP32, config.vocabSize(), config.hiddenSize())
        .to(compute.scalarType());
  }

  /** 24 columns; of 37 rows two ranks hold 19 each, three 13, ten 4, fifty 1. */
  @ParameterizedTest
  @MethodSource("splits")
  void aRankHoldsItsRowsAndNoMore(Embeddings embeddings, DType compute, int ranks) {
    LlamaConfig config = TinyModels.config(embeddings);
    long rows = (37L + ranks - 1) / ranks;
    long part = rows * 24 * compute.bytes();
    long head = embeddings == Embeddings.TIED ? 0 : part;
    FrozenVocabulary.Holdings expected = new FrozenVocabulary.Holdings(part, head, ranks * part);
    assertThat(FrozenVocabulary.holdings(config, compute, ranks)).isEqualTo(expected);
    ThreadRanks.run(
        ranks,
        rank -> {
          try (Model model = Model.load(config, compute, rank)) {
            assertThat(model.vocabulary().holdings()).isEqualTo(expected);
          }
          return null;
        });
  }

  @ParameterizedTest
  @EnumSource
  void eachUseIsOneGatherOfOneMatrix(Embeddings embeddings) {
    ThreadRanks.run(
        3,
        rank -> {
          try (Model model = Model.load(TinyModels.config(embeddings), DType.FP32, rank)) {
            int before = rank.gathers();
            model.vocabulary().embedTokens();
            model.vocabulary().lmHead();
            model.vocabulary().lmHead();
            assertThat(rank.gathers() - before).isEqualTo(3);
          }
          return null;
        });
  }

  /** What was expected comes in the place of the expectation, once, to who asks first. */
  @ParameterizedTest
  @EnumSource
  void anExpectedHeadComesOnce(Embeddings embeddings) {
    LlamaConfig config = TinyModels.config(embeddings);
    FrozenVocabulary whole = Model.load(config, DType.FP32, new SingleRank()).vocabulary();
    ThreadRanks.run(
        3,
        rank -> {
          try (Model model = Model.load(config, DType.FP32, rank)) {
            int before = rank.gathers();
            model.vocabulary().expectLmHead();
            model.vocabulary().expectLmHead();
            assertThat(rank.gathers() - before).isEqualTo(1);
            assertSame(model.vocabulary().lmHead(), whole.lmHead());
            assertThat(rank.gathers() - before).isEqualTo(1);
            assertSame(model.vocabulary().lmHead(), whole.lmHead());
            assertThat(rank.gathers() - before).isEqualTo(2);
          }
          return null;
        });
  }

  @Test
  void aHeadThatIsNotToComeEarlyComesWhenItIsAskedFor() {
    LlamaConfig config = TinyModels.config(Embeddings.UNTIED);
    long bytes = FrozenVocabulary.holdings(config, DType.FP32, 3).gathered();
    assertThat(FrozenVocabulary.expectedBytes(bytes)).isEqualTo(bytes);
    try (Property property = Property.set(FrozenVocabulary.HEAD_PROPERTY, "never")) {
      assertThat(FrozenVocabulary.expectedBytes(bytes)).isZero();
      ThreadRanks.run(
          3,
          rank -> {
            try (Model model = Model.load(config, DType.FP32, rank)) {
              int before = rank.gathers();
              model.vocabulary().expectLmHead();
              assertThat(rank.gathers()).isEqualTo(before);
              model.vocabulary().lmHead();
              assertThat(rank.gathers()).isEqualTo(before + 1);
            }
            return null;
          });
    }
  }

  /** As after an exception in the last layer; the next step begins anew. */
  @Test
  void anExpectedHeadIsLetGoOfWhereNobodyAsks() {
    Alike ranks = new Alike();
    try (Model model = Model.load(TinyModels.config(Embeddings.UNTIED), DType.FP32, ranks)) {
      for (int step = 0; step < 2; step++) {
        try (TensorScope scope = new TensorScope()) {
          model.vocabulary().expectLmHead();
          assertThat(ranks.whole.isNull()).as("the head is freed while it comes").isFalse();
        }
        assertThat(ranks.whole.isNull()).as("the head is freed after its step").isTrue();
      }
    }
  }

  /** It is the caller's from then on: else it would be held until the end of the micro-batch. */
  @Test
  void anExpectedHeadIsLetGoOfByWhoHasIt() {
    Alike ranks = new Alike();
    try (Model model = Model.load(TinyModels.config(Embeddings.UNTIED), DType.FP32, ranks);
        TensorScope scope = new TensorScope()) {
      model.vocabulary().expectLmHead();
      Tensor head;
      try (TensorScope inner = new TensorScope()) {
        head = model.vocabulary().lmHead();
        assertThat(head.isNull()).isFalse();
      }
      assertThat(head.isNull()).as("the caller's is freed").isTrue();
      assertThat(ranks.whole.isNull()).as("what was brought is freed").isTrue();
    }
  }

  @Test
  void aHeadThatFailsToComeLeavesNothing() {
    Alike ranks = new Alike();
    try (Model model = Model.load(TinyModels.config(Embeddings.UNTIED), DType.FP32, ranks)) {
      ranks.fails = true;
      try (TensorScope scope = new TensorScope()) {
        assertThatThrownBy(() -> model.vocabulary().expectLmHead()).hasMessage("a peer is gone");
      }
      assertThat(ranks.whole.isNull()).isTrue();
      ranks.fails = false;
      bring(model);
    }
  }

  @ParameterizedTest
  @CsvSource({"2, FP32", "3, BF16", "7, FP32", "50, FP32"})
  void rowsAndHeadAreReadWhereTheyLie(int ranks, DType compute) {
    ThreadRanks.run(
        ranks,
        rank -> {
          Placement placement = pulling(rank, compute);
          PulledVocabulary.check(
              PulledVocabulary.config(37, 24),
              compute,
              placement,
              placement.arena(new HostPeerDriver(rank.rank())),
              new PlainKernels());
          return null;
        });
  }

  /** All copies of the embedding are one a rank; rows come without any. */
  @ParameterizedTest
  @CsvSource({"on, 0", "off, 3"})
  void rowsComeWithoutTheMatrixUnlessAPropertySaysSo(String rows, int copies) {
    Tensor ids = Tensors.of(new long[] {36, 0, 19});
    try (Property property = Property.set(FrozenVocabulary.ROWS_PROPERTY, rows)) {
      ThreadRanks.run(
          3,
          rank -> {
            Placement placement = pulling(rank, DType.FP32);
            CountingDriver driver = new CountingDriver(rank.rank());
            PulledVocabulary.with(
                PulledVocabulary.config(37, 24),
                placement,
                placement.arena(driver),
                (decoder, vocabulary) -> {
                  int before = driver.copies.get();
                  vocabulary.embed(ids, new PlainKernels());
                  assertThat(driver.copies.get() - before).isEqualTo(copies);
                  rank.barrier();
                });
            return null;
          });
    }
  }

  private static Placement pulling(Collectives ranks, DType compute) {
    return new Placement(Device.CPU, DType.BF16, compute, ranks, 0, Transport.PEERS);
  }

  /** One that counts what is copied. */
  private static final class CountingDriver extends HostPeerDriver {
    private final AtomicInteger copies = new AtomicInteger();

    CountingDriver(int rank) {
      super(rank);
    }

    @Override
    public CopyStream on(CudaStream stream) {
      CopyStream copying = super.on(stream);
      return new ForwardingCopies(copying) {
        @Override
        public void copy(long to, long from, long bytes) {
          copies.incrementAndGet();
          super.copy(to, from, bytes);
        }
      };
    }
  }

  @Test
  void rowsAreGatheredWhereRanksDo() {
    LlamaConfig config = TinyModels.config(Embeddings.UNTIED);
    Tensor ids = Tensors.of(new long[] {36, 0, 19});
    Tensor expected = torch.embedding(read(config, TensorNames.EMBED_TOKENS, DType.FP32), ids);
    ThreadRanks.run(
        2,
        rank -> {
          try (Model model = Model.load(config, DType.FP32, rank)) {
            int before = rank.gathers();
            assertSame(model.vocabulary().embed(ids, new PlainKernels()), expected);
            assertThat(rank.gathers()).isEqualTo(before + 1);
          }
          return null;
        });
    FrozenVocabulary whole = Model.load(config, DType.FP32, new SingleRank()).vocabulary();
    assertSame(whole.embed(ids, new PlainKernels()), expected);
  }

  @Test
  void whatWasBroughtTogetherIsLetGoOf() {
    try (Model model = Model.load(TinyModels.config(Embeddings.UNTIED), DType.FP32, new Alike())) {
      bring(model);
      long before = Pointer.totalCount();
      for (int step = 0; step < 10; step++) {
        bring(model);
      }
      assertThat(Pointer.totalCount()).as("native objects after ten steps").isEqualTo(before);
    }
  }

  private static void bring(Model model) {
    try (TensorScope scope = new TensorScope()) {
      model.vocabulary().embedTokens();
      model.vocabulary().lmHead();
    }
  }

  /** Rank 0 of two, whose peer has the same, or is gone. */
  private static final class Alike implements FirstOfTwo {
    private boolean fails;

    /** Where the last gather went. */
    private Tensor whole;

    @Override
    public void allGatherInto(Tensor to, Tensor shard) {
      whole = to;
      if (fails) {
        throw new IllegalStateException("a peer is gone");
      }
      try (TensorScope scope = new TensorScope()) {
        to.narrow(0, 0, shard.numel()).copy_(shard);
        to.narrow(0, shard.numel(), shard.numel()).copy_(shard);
      }
    }
  }

  /** Else a rank on its own would pay for what it does not need. */
  @ParameterizedTest
  @EnumSource
  void whatIsWholeIsHandedOutAsItIs(Embeddings embeddings) {
    LlamaConfig config = TinyModels.config(embeddings);
    FrozenVocabulary vocabulary = Model.load(config, DType.FP32, new SingleRank()).vocabulary();
    assertThat(vocabulary.embedTokens()).isSameAs(vocabulary.embedTokens());
    assertThat(vocabulary.lmHead()).isSameAs(vocabulary.lmHead());
    if (embeddings == Embeddings.TIED) {
      assertThat(vocabulary.lmHead()).isSameAs(vocabulary.embedTokens());
    } else {
      assertThat(vocabulary.lmHead()).isNotSameAs(vocabulary.embedTokens());
    }
    assertSame(vocabulary.embedTokens(), read(config, TensorNames.EMBED_TOKENS, DType.FP32));
    long matrix = 37 * 24 * 4;
    assertThat(vocabulary.holdings())
        .isEqualTo(
            new FrozenVocabulary.Holdings(matrix, embeddings == Embeddings.TIED ? 0 : matrix, 0))
        .isEqualTo(FrozenVocabulary.holdings(config, DType.FP32, 1));
  }

  /** Layers that wait on the host are brought in buffers too, but by one rank. */
  @Test
  void layersThatAreOffloadedLeaveItWhole() {
    LlamaConfig config = TinyModels.config(Embeddings.UNTIED);
    Placement placement = new Placement(Device.CPU, DType.FP32, DType.FP32, new SingleRank(), 0.5);
    FrozenLayers decoder = FrozenLayers.load(config, placement, WEIGHTS);
    FrozenVocabulary vocabulary = new FrozenVocabulary(config, decoder);
    WEIGHTS.stream(vocabulary.wanted(), Device.CPU, LoadProgress.IGNORED);
    assertThat(vocabulary.lmHead()).isSameAs(vocabulary.lmHead());
    assertSame(vocabulary.lmHead(), read(config, TensorNames.LM_HEAD, DType.FP32));
  }
}
