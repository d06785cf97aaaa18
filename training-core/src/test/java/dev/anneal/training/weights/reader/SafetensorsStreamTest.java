package dev.anneal.training.weights.reader;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Golden;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.ForwardingFolder;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsFile;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.Placement;
import dev.anneal.training.weights.ThreadRanks;
import dev.anneal.training.weights.reader.SafetensorsStream.Limits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The weights of the reference model as ranks read them. */
@Timeout(60)
@ExtendWith(InTensorScope.class)
class SafetensorsStreamTest {
  @TempDir Path copy;
  private LlamaConfig config;

  @BeforeEach
  void readConfig() throws IOException {
    config = LlamaConfig.read(Golden.folder("model"));
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "1, 2, 700", "4, 8, 65536", "4, 2, 5000", "3, 1, 1000"})
  void everyLimitGivesTheSameValues(int readers, int buffers, int bufferBytes) throws IOException {
    Map<String, long[]> shapes = TensorNames.shapes(config);
    WholeTensors whole = new WholeTensors(Device.CPU, DType.FP32);
    List<Tensor> found =
        shapes.entrySet().stream().map(e -> whole.want(e.getKey(), e.getValue())).toList();
    try (SafetensorsIndex index = open(Golden.folder("model"));
        WeightReader one =
            SafetensorsWeights.open(Golden.folder("model"), SafetensorsIndex.MODEL_FILE)) {
      new SafetensorsStream(index, Device.CPU, new Limits(readers, buffers, bufferBytes))
          .read(whole.wanted(), LoadProgress.IGNORED);
      int i = 0;
      for (var shape : shapes.entrySet()) {
        Tensor expected = one.read(shape.getKey(), DType.FP32, shape.getValue());
        assertThat(found.get(i++).equal(expected)).as(shape.getKey()).isTrue();
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"2", "3"})
  void aRankReadsTheRowsOfItsShardAndNoOthers(int ranks) throws IOException {
    List<RecordingFolder> folders =
        ThreadRanks.run(
            ranks,
            rank -> {
              RecordingFolder folder = new RecordingFolder(Golden.folder("model"));
              try (WeightReader weights =
                  SafetensorsWeights.open(folder, SafetensorsIndex.MODEL_FILE)) {
                Placement placement = new Placement(Device.CPU, DType.FP8, DType.FP32, rank, 0.5);
                FrozenLayers.load(config, placement, weights);
              }
              return folder;
            });
    try (SafetensorsFile file =
        SafetensorsFile.open(Golden.folder("model"), SafetensorsIndex.MODEL_FILE)) {
      BitSet matrices = new BitSet();
      for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
        for (LinearModule module : LinearModule.values()) {
          TensorEntry entry = file.header().entries().get(module.weightName(layer));
          matrices.set((int) entry.begin(), (int) entry.end());
        }
      }
      BitSet together = new BitSet();
      for (RecordingFolder folder : folders) {
        BitSet mine = bytesRead(folder, file);
        mine.and(matrices);
        assertThat(mine.cardinality())
            .as("an even share, but for padding")
            .isBetween(
                matrices.cardinality() / ranks * 95 / 100,
                matrices.cardinality() / ranks * 105 / 100);
        assertThat(mine.intersects(together)).as("bytes of another rank").isFalse();
        together.or(mine);
      }
      assertThat(together).isEqualTo(matrices);
    }
  }

  /** Bytes of the tensors' data; every byte is read once. */
  private static BitSet bytesRead(RecordingFolder folder, SafetensorsFile file) {
    BitSet bytes = new BitSet();
    long start = file.header().dataStart();
    for (RecordingFolder.Read read : folder.reads()) {
      if (read.from() >= start) {
        int from = (int) (read.from() - start);
        int to = (int) (read.to() - start);
        assertThat(bytes.get(from, to).isEmpty()).as("read twice").isTrue();
        bytes.set(from, to);
      }
    }
    return bytes;
  }

  @Test
  void readsNoFurtherAheadThanItsBuffersReach() throws IOException, InterruptedException {
    RecordingFolder folder = new RecordingFolder(Golden.folder("model"));
    Limits limits = new Limits(4, 3, 4096);
    List<Long> ahead = new ArrayList<>();
    long[] taken = {0};
    try (SafetensorsIndex index = open(folder)) {
      long header = folder.reads().stream().mapToLong(r -> r.to() - r.from()).sum();
      WantedRows.Sink slow =
          (row, values) -> {
            pause();
            long read = folder.reads().stream().mapToLong(r -> r.to() - r.from()).sum() - header;
            ahead.add(read - taken[0]);
            taken[0] += values.nbytes();
          };
      String up = LinearModule.UP_PROJ.weightName(0);
      new SafetensorsStream(index, Device.CPU, limits)
          .read(List.of(new WantedRows(up, 0, 176, 64, slow)), LoadProgress.IGNORED);
    }
    assertThat(ahead).hasSizeGreaterThan(5).allMatch(bytes -> bytes <= 3 * 4096);
    assertThat(ahead).as("buffers are filled while others are taken").anyMatch(b -> b > 4096);
  }

  private static void pause() {
    try {
      Thread.sleep(20);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void progressGrowsToTheTotal() throws IOException {
    List<Long> done = new ArrayList<>();
    List<Long> totals = new ArrayList<>();
    Placement placement = new Placement(Device.CPU, DType.BF16, DType.FP32, new SingleRank(), 0);
    FrozenLayers frozen = new FrozenLayers(config, placement, LoadProgress.IGNORED);
    try (SafetensorsIndex index = open(Golden.folder("model"))) {
      new SafetensorsStream(index, Device.CPU, new Limits(2, 2, 8192))
          .read(
              frozen.wanted(),
              (doneBytes, totalBytes) -> {
                done.add(doneBytes);
                totals.add(totalBytes);
              });
    }
    long layers =
        TensorNames.shapes(config).entrySet().stream()
            .filter(e -> e.getKey().contains("layers."))
            .mapToLong(e -> 4 * Arrays.stream(e.getValue()).reduce(1, (a, b) -> a * b))
            .sum();
    assertThat(totals).containsOnly(layers);
    assertThat(done).isSorted().hasSizeGreaterThan(10).endsWith(layers);
  }

  @Test
  void aFileThatCannotBeReadIsNamedWithTheTensor() throws IOException {
    String name = LinearModule.K_PROJ.weightName(1);
    ModelFolder broken = failingAt(name);
    try (WeightReader weights = SafetensorsWeights.open(broken, SafetensorsIndex.MODEL_FILE)) {
      assertThatThrownBy(() -> load(weights))
          .isInstanceOf(InvalidModelException.class)
          .hasMessage(
              "%s/model.safetensors: tensor %s cannot be read: the disk is broken",
              Golden.folder("model").location(), name);
    }
  }

  @Test
  void aFileThatShrinksIsNamedWithTheTensor() throws IOException {
    Files.copy(Golden.path("model/model.safetensors"), copy.resolve("model.safetensors"));
    try (WeightReader weights =
            SafetensorsWeights.open(new LocalModelFolder(copy), SafetensorsIndex.MODEL_FILE);
        FileChannel file =
            FileChannel.open(copy.resolve("model.safetensors"), StandardOpenOption.WRITE)) {
      file.truncate(file.size() / 2);
      assertThatThrownBy(() -> load(weights))
          .isInstanceOf(InvalidModelException.class)
          .hasMessageContainingAll(copy.toString(), "truncated", "tensor model.layers");
    }
  }

  @Test
  void whatASinkThrowsEndsTheReadingAndClosesAll() throws IOException, InterruptedException {
    RecordingFolder folder = new RecordingFolder(Golden.folder("model"));
    AtomicInteger pieces = new AtomicInteger();
    WantedRows.Sink sink =
        (row, values) -> {
          if (pieces.incrementAndGet() == 3) {
            throw new IllegalStateException("enough");
          }
        };
    String up = LinearModule.UP_PROJ.weightName(0);
    try (SafetensorsIndex index = open(folder)) {
      SafetensorsStream stream = new SafetensorsStream(index, Device.CPU, new Limits(4, 2, 512));
      assertThatThrownBy(
              () ->
                  stream.read(List.of(new WantedRows(up, 0, 176, 64, sink)), LoadProgress.IGNORED))
          .hasMessage("enough");
    }
    assertThat(pieces.get()).isEqualTo(3);
    assertThat(folder.open()).isZero();
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().equals("weights-reader")) {
        // it has nothing left to do, and may be leaving still
        thread.join(30_000);
        assertThat(thread.isAlive()).as(thread.toString()).isFalse();
      }
    }
  }

  @Test
  void wholeTensorsAreInTheirDtype() throws IOException {
    WholeTensors whole = new WholeTensors(Device.CPU, DType.BF16);
    Tensor norm = whole.want(TensorNames.NORM, config.hiddenSize());
    try (WeightReader weights =
        SafetensorsWeights.open(Golden.folder("model"), SafetensorsIndex.MODEL_FILE)) {
      weights.stream(whole.wanted(), Device.CPU, LoadProgress.IGNORED);
      Tensor expected = weights.read(TensorNames.NORM, DType.FP32, config.hiddenSize());
      assertThat(norm.scalar_type().intern()).isEqualTo(ScalarType.BFloat16);
      assertThat(norm.equal(expected.to(ScalarType.BFloat16))).isTrue();
    }
  }

  private void load(WeightReader weights) {
    Placement placement = new Placement(Device.CPU, DType.BF16, DType.FP32, new SingleRank(), 0);
    FrozenLayers.load(config, placement, weights);
  }

  private static SafetensorsIndex open(ModelFolder folder) throws IOException {
    return SafetensorsIndex.open(folder, SafetensorsIndex.MODEL_FILE);
  }

  /** The reference model on a disk that cannot read where {@code tensor} begins. */
  private static ModelFolder failingAt(String tensor) throws IOException {
    ModelFolder folder = Golden.folder("model");
    long begin;
    try (SafetensorsFile file = SafetensorsFile.open(folder, SafetensorsIndex.MODEL_FILE)) {
      begin = file.header().dataStart() + file.header().entries().get(tensor).begin();
    }
    return new ForwardingFolder(folder) {
      @Override
      public SeekableByteChannel open(String file) throws IOException {
        return new Channel(super.open(file)) {
          @Override
          public int read(ByteBuffer into) throws IOException {
            if (position() == begin) {
              throw new IOException("the disk is broken");
            }
            return super.read(into);
          }
        };
      }
    };
  }
}
