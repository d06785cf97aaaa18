package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.BusyGpu;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.collective.FirstOfTwo;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.WeightReader;
import dev.anneal.training.weights.reader.Weights;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The stream that computes and the one that gathers wait for each other, and the host for neither.
 * The peer is made up, so one GPU is enough.
 */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class FrozenVocabularyGpuTest {
  private static final Device GPU = Device.gpu(0);

  /** A head of 8,001 rows of 2 KB: one row more than two equal parts of the vocabulary. */
  private static final LlamaConfig CONFIG =
      new LlamaConfig(8001, 1024, 64, 1, 8, 2, 128, 1e-5, null, 10_000, 64, false, null, List.of());

  private static final long PART = 4001;

  @Test
  void aLateGatherIsWaitedForByTheCurrentStream() {
    try (BusyGpu busy = new BusyGpu(GPU);
        FrozenLayers decoder = decoder(new LatePeer(busy, GatherStart.LATE))) {
      FrozenVocabulary vocabulary = load(decoder);
      launchOnce(vocabulary);
      busy.hold();
      Tensor found = vocabulary.lmHead().clone();
      assertThat(busy.isDone()).as("the gather is over before anybody could come early").isFalse();
      busy.end();
      assertIsTheHeadOfBoth(found);
    }
  }

  /** What the current stream still writes is written before the gather writes there. */
  @Test
  void memoryThatIsStillInUseIsWrittenLater() {
    try (BusyGpu busy = new BusyGpu(GPU);
        FrozenLayers decoder = decoder(new LatePeer(busy, GatherStart.AT_ONCE))) {
      FrozenVocabulary vocabulary = load(decoder);
      launchOnce(vocabulary);
      busy.hold();
      busy.begin();
      long address = useOfTheSameMemory();
      Tensor whole = vocabulary.lmHead();
      assertThat(whole.data_ptr().address())
          .as("the allocator hands out what was freed last")
          .isEqualTo(address);
      Tensor found = whole.clone();
      assertThat(busy.isDone()).as("the work is over before anybody could come early").isFalse();
      busy.end();
      assertIsTheHeadOfBoth(found);
    }
  }

  /** What is computed beside an expected head does not wait for it, and who reads the head does. */
  @Test
  void anExpectedHeadComesBesideWhatIsComputed() {
    try (BusyGpu busy = new BusyGpu(GPU);
        FrozenLayers decoder = decoder(new LatePeer(busy, GatherStart.LATE));
        CudaEvent computed = new CudaEvent(GPU)) {
      FrozenVocabulary vocabulary = load(decoder);
      Tensor x = Tensors.ones(GPU, ScalarType.Float, 1024);
      x.add_(x);
      computed.record();
      launchOnce(vocabulary);
      busy.hold();
      vocabulary.expectLmHead();
      x.add_(x);
      computed.record();
      assertThat(busy.isDone()).as("the host has waited for the gather").isFalse();
      computed.synchronize();
      assertThat(busy.isDone()).as("the gather is over before anything was beside it").isFalse();
      Tensor found = vocabulary.lmHead().clone();
      assertThat(busy.isDone()).as("the gather is over before anybody could come early").isFalse();
      busy.end();
      assertIsTheHeadOfBoth(found);
    }
  }

  /** Who has the memory next comes after the gather, although nobody asked for what it brought. */
  @Test
  void anExpectedHeadThatNobodyAsksForIsFreedBehindItsGather() {
    try (BusyGpu busy = new BusyGpu(GPU);
        FrozenLayers decoder = decoder(new LatePeer(busy, GatherStart.LATE))) {
      FrozenVocabulary vocabulary = load(decoder);
      GpuMemory memory = new GpuMemory(GPU);
      launchOnce(vocabulary);
      busy.hold();
      long before = memory.allocatedBytes();
      try (TensorScope scope = new TensorScope()) {
        vocabulary.expectLmHead();
        assertThat(memory.allocatedBytes()).isGreaterThan(before);
      }
      assertThat(memory.allocatedBytes()).as("bytes afterwards").isEqualTo(before);
      Tensor next = Tensors.empty(GPU, ScalarType.Byte, headBytes());
      next.fill_(Tensors.scalar(1));
      assertThat(busy.isDone()).as("the gather is over before anybody could come early").isFalse();
      busy.end();
      assertThat(next.min().item_double()).as("what was written last").isEqualTo(1);
    }
  }

  /** Else it would be held until the end of the micro-batch. */
  @Test
  void anExpectedHeadIsLetGoOfByWhoHasIt() {
    try (BusyGpu busy = new BusyGpu(GPU);
        FrozenLayers decoder = decoder(new LatePeer(busy, GatherStart.AT_ONCE));
        TensorScope scope = new TensorScope()) {
      FrozenVocabulary vocabulary = load(decoder);
      GpuMemory memory = new GpuMemory(GPU);
      long before = memory.allocatedBytes();
      vocabulary.expectLmHead();
      try (TensorScope inner = new TensorScope()) {
        vocabulary.lmHead();
        assertThat(memory.allocatedBytes()).isGreaterThan(before);
      }
      assertThat(memory.allocatedBytes()).as("bytes after its use").isEqualTo(before);
    }
  }

  /** Loads the kernels of a gather and of what reads it, and leaves ones where the head was. */
  private static void launchOnce(FrozenVocabulary vocabulary) {
    try (TensorScope scope = new TensorScope()) {
      vocabulary.expectLmHead();
      vocabulary.lmHead().clone();
    }
    try (TensorScope scope = new TensorScope()) {
      // that of the copy too
      for (int i = 0; i < 2; i++) {
        Tensors.empty(GPU, ScalarType.Byte, headBytes()).fill_(Tensors.scalar(1));
      }
    }
    torch_cuda.device_synchronize();
  }

  /** Ones, written into memory that is free when this returns. */
  private static long useOfTheSameMemory() {
    try (TensorScope scope = new TensorScope()) {
      Tensor used = Tensors.empty(GPU, ScalarType.Byte, headBytes());
      used.fill_(Tensors.scalar(1));
      return used.data_ptr().address();
    }
  }

  private static long headBytes() {
    return 2 * PART * CONFIG.hiddenSize() * DType.BF16.bytes();
  }

  @Test
  void whatWasBroughtTogetherIsLetGoOf() {
    try (BusyGpu busy = new BusyGpu(GPU);
        FrozenLayers decoder = decoder(new LatePeer(busy, GatherStart.AT_ONCE))) {
      FrozenVocabulary vocabulary = load(decoder);
      GpuMemory memory = new GpuMemory(GPU);
      long before = memory.allocatedBytes();
      try (TensorScope scope = new TensorScope()) {
        vocabulary.lmHead();
        assertThat(memory.allocatedBytes() - before)
            .as("bytes of a head that was brought together, and what the allocator rounds")
            .isBetween(
                vocabulary.holdings().gathered(), vocabulary.holdings().gathered() + (2 << 20));
      }
      assertThat(memory.allocatedBytes()).as("bytes after its use").isEqualTo(before);
    }
  }

  /** This rank's rows and then the peer's, which are half of them. */
  private static void assertIsTheHeadOfBoth(Tensor found) {
    Tensor mine = found.narrow(0, 0, PART);
    assertThat(mine.to(ScalarType.Float).std().item_double())
        .as("deviation of this rank's rows, as RandomWeights draws them")
        .isBetween(0.0199, 0.0201);
    long peers = CONFIG.vocabSize() - PART;
    Tensor expected = mine.narrow(0, 0, peers).mul(Tensors.scalar(0.5));
    assertThat(found.narrow(0, PART, peers).equal(expected)).as("the peer's rows").isTrue();
  }

  private static FrozenLayers decoder(LatePeer ranks) {
    Placement placement = new Placement(GPU, DType.BF16, DType.BF16, ranks, 0);
    return new FrozenLayers(CONFIG, placement, LoadProgress.IGNORED);
  }

  private static FrozenVocabulary load(FrozenLayers decoder) {
    FrozenVocabulary vocabulary = new FrozenVocabulary(CONFIG, decoder);
    try (WeightReader weights = Weights.open(new ModelSource.Random(CONFIG, 1))) {
      weights.stream(vocabulary.wanted(), GPU, LoadProgress.IGNORED);
    }
    return vocabulary;
  }

  /** When a gather begins to write. */
  private enum GatherStart {
    AT_ONCE,
    LATE
  }

  /** Rank 0 of two, whose peer sends half of what this rank has. */
  private record LatePeer(BusyGpu busy, GatherStart start) implements FirstOfTwo {
    @Override
    public void allGatherInto(Tensor whole, Tensor shard) {
      try (TensorScope scope = new TensorScope()) {
        if (start == GatherStart.LATE) {
          busy.begin();
        }
        long n = shard.numel();
        whole.narrow(0, 0, n).copy_(shard);
        Tensor half = shard.view(ScalarType.BFloat16).mul(Tensors.scalar(0.5));
        whole.narrow(0, n, n).copy_(half.view(ScalarType.Byte));
      }
    }
  }
}
