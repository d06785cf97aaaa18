package dev.anneal.training.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.BucketParts;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.trainer.GlooRanks;
import dev.anneal.training.weights.reader.RecordingFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ranks' parts that are read in many pieces, as those of large models are. */
class CheckpointReaderTest {
  private static final long PIECE_ELEMENTS = 7;
  private static final long PIECE_BYTES = PIECE_ELEMENTS * Float.BYTES;

  /** Of 38 and 101 elements: neither is a multiple of a piece or of a rank's part. */
  private static final List<List<Parameters.Shape>> BUCKETS =
      List.of(
          List.of(new Parameters.Shape("a", 5, 7), new Parameters.Shape("b", 3)),
          List.of(new Parameters.Shape("c", 101)));

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"1, 1", "2, 2", "2, 1", "1, 2", "2, 3", "3, 2"})
  void piecesMakeUpWhatWasWritten(int before, int after) throws Exception {
    assertThat(GlooRanks.run(before, this::write)).containsOnlyNulls();
    assertThat(GlooRanks.run(after, this::assertRestores)).containsOnlyNulls();
  }

  private void write(Collectives world) throws IOException {
    try (TensorScope scope = new TensorScope();
        Parameters parameters = new Parameters(BUCKETS, DType.FP32, Device.CPU, world)) {
      AdamW optimizer = optimizer(parameters);
      List<Tensor> written = vectors(parameters, optimizer);
      for (int i = 0; i < written.size(); i++) {
        written.get(i).copy_(Tensors.of(values(i, parameters.layout().parts(), world.rank())));
      }
      RankRole role = new RankRole(Device.CPU, world.rank(), world.worldSize(), null, null);
      try (Snapshot snapshot =
          new Snapshot(parameters, optimizer, Device.CPU, 1, Snapshot.Values.MASTER)) {
        snapshot.take();
        new PartFiles(snapshot, parameters, role)
            .write(fresh(parameters, world).after(3, 2, 1), 0, new LocalOutputFolder(folder));
      }
    }
  }

  private void assertRestores(Collectives world) throws IOException {
    try (TensorScope scope = new TensorScope();
        Parameters parameters = new Parameters(BUCKETS, DType.FP32, Device.CPU, world)) {
      AdamW optimizer = optimizer(parameters);
      RecordingFolder recording = new RecordingFolder(new LocalModelFolder(folder));
      TrainerState run = fresh(parameters, world);

      TrainerState restored =
          CheckpointReader.restore(
              new ResumePoint(3, recording),
              run,
              parameters,
              optimizer,
              world.rank(),
              PIECE_ELEMENTS);

      assertThat(restored).isEqualTo(run.after(3, 2, 1));
      assertThat(optimizer.steps()).isEqualTo(2);
      List<Tensor> found = vectors(parameters, optimizer);
      for (int i = 0; i < found.size(); i++) {
        assertThat(Tensors.doubles(found.get(i).to(ScalarType.Double)))
            .isEqualTo(values(i, parameters.layout().parts(), world.rank()));
      }
      assertThat(recording.reads())
          .filteredOn(read -> read.file().startsWith("rank-") && isBehindHeader(read))
          .hasSizeGreaterThan(3 * BUCKETS.size())
          .allSatisfy(read -> assertThat(read.to() - read.from()).isLessThanOrEqualTo(PIECE_BYTES));
    }
  }

  /** The header begins after its length. */
  private static boolean isBehindHeader(RecordingFolder.Read read) {
    return read.from() > Long.BYTES;
  }

  private static TrainerState fresh(Parameters parameters, Collectives world) {
    return TrainerState.fresh(parameters, world.worldSize(), 6, 42);
  }

  private static AdamW optimizer(Parameters parameters) {
    return new AdamW(new AdamWSpec(0.01, 0.1, 0.9, 0.99, 1e-8), parameters, new PlainKernels());
  }

  private static List<Tensor> vectors(Parameters parameters, AdamW optimizer) {
    return List.of(parameters.master(), optimizer.expAvg(), optimizer.expAvgSq());
  }

  /** A rank's part of vector {@code vector}: other numbers everywhere, and zeros for padding. */
  private static double[] values(int vector, BucketParts parts, int rank) {
    double[] values = new double[(int) parts.total()];
    for (int bucket = 0; bucket < BUCKETS.size(); bucket++) {
      for (int i = 0; i < parts.part(bucket); i++) {
        long element = rank * parts.part(bucket) + i;
        if (element < parts.numels().get(bucket)) {
          values[(int) parts.offset(bucket) + i] = 1 + element + 1000L * bucket + 10_000L * vector;
        }
      }
    }
    return values;
  }
}
