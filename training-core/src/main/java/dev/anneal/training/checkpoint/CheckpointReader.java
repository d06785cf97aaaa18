package dev.anneal.training.checkpoint;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsFile;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.optim.AdamW;
import dev.anneal.training.optim.BucketParts;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Brings a rank back to where a checkpoint was taken, at whatever world size that was. */
public final class CheckpointReader {
  /** Elements that are read at a time: 32 MB. */
  private static final long CHUNK = 8L << 20;

  private final ModelFolder folder;
  private final TrainerState state;
  private final BucketParts stored;
  private final Parameters parameters;
  private final int rank;

  private CheckpointReader(
      ModelFolder folder, TrainerState state, Parameters parameters, int rank) {
    this.folder = folder;
    this.state = state;
    this.stored = state.parts();
    this.parameters = parameters;
    this.rank = rank;
  }

  /**
   * Reads this rank's parts of the parameters and of AdamW's state, of which it has the rest too;
   * every rank calls it.
   *
   * @param run the run that goes on, as it was before its first step
   * @return where it goes on
   * @throws InvalidCheckpointException if the checkpoint is damaged or another run's
   */
  public static TrainerState restore(
      ResumePoint resume, TrainerState run, Parameters parameters, AdamW optimizer, int rank)
      throws IOException {
    String where = resume.folder().locationOf(TrainerState.FILE);
    TrainerState state = TrainerState.read(resume.folder());
    if (state.step() != resume.step()) {
      throw new InvalidCheckpointException(
          "%s is of step %d, but its checkpoint of step %d."
              .formatted(where, state.step(), resume.step()));
    }
    state.requireSameRun(run, where);
    try {
      new CheckpointReader(resume.folder(), state, parameters, rank).read(optimizer);
    } catch (InvalidModelException e) {
      throw new InvalidCheckpointException(e.getMessage(), e);
    }
    optimizer.resumeAt(state.optimizerStep());
    parameters.publish();
    return run.after(state.step(), state.optimizerStep(), state.skippedInARow());
  }

  private void read(AdamW optimizer) throws IOException {
    for (int writer = 0; writer < state.worldSize(); writer++) {
      if (hasMine(writer)) {
        try (SafetensorsFile file =
            SafetensorsFile.open(folder, RankFile.name(writer, state.worldSize()))) {
          check(file);
          read(file, writer, RankFile.MASTER, parameters.master());
          read(file, writer, RankFile.EXP_AVG, optimizer.expAvg());
          read(file, writer, RankFile.EXP_AVG_SQ, optimizer.expAvgSq());
        }
      }
    }
  }

  private void check(SafetensorsFile file) {
    List<TensorSpec> expected = RankFile.tensors(stored.total());
    boolean fits = file.header().entries().size() == expected.size();
    for (TensorSpec spec : expected) {
      TensorEntry entry = file.header().entries().get(spec.name());
      fits &=
          entry != null
              && entry.dtype() == SafetensorsDType.F32
              && Arrays.equals(entry.shape(), spec.shape());
    }
    if (!fits) {
      throw new InvalidCheckpointException(
          "%s must have the tensors %s, %s and %s of %d F32 numbers, and nothing else."
              .formatted(
                  file.where(),
                  RankFile.MASTER,
                  RankFile.EXP_AVG,
                  RankFile.EXP_AVG_SQ,
                  stored.total()));
    }
  }

  private boolean hasMine(int writer) {
    for (int bucket = 0; bucket < stored.numels().size(); bucket++) {
      if (common(bucket, writer).numel() > 0) {
        return true;
      }
    }
    return false;
  }

  /** A stretch of a bucket without its padding. */
  private record Stretch(long begin, long end) {
    long numel() {
      return Math.max(0, end - begin);
    }
  }

  /** What {@code writer} has of this rank's part of {@code bucket}. */
  private Stretch common(int bucket, int writer) {
    long mine = parameters.parts().part(bucket);
    long theirs = stored.part(bucket);
    return new Stretch(
        Math.max(rank * mine, writer * theirs),
        Math.min(stored.numels().get(bucket), Math.min((rank + 1) * mine, (writer + 1) * theirs)));
  }

  private void read(SafetensorsFile file, int writer, String name, Tensor into) throws IOException {
    TensorEntry entry = file.header().entries().get(name);
    for (int bucket = 0; bucket < stored.numels().size(); bucket++) {
      Stretch stretch = common(bucket, writer);
      long from = stored.offset(bucket) - writer * stored.part(bucket);
      long to = parameters.parts().offset(bucket) - rank * parameters.parts().part(bucket);
      for (long at = stretch.begin(); at < stretch.end(); at += CHUNK) {
        long n = Math.min(CHUNK, stretch.end() - at);
        try (TensorScope scope = new TensorScope();
            NoGrad noGrad = new NoGrad()) {
          Tensor values = Tensors.empty(ScalarType.Float, n);
          file.read(entry, from + at, Tensors.bytes(values, 0).asByteBuffer());
          into.narrow(0, to + at, n).copy_(values);
        }
      }
    }
  }
}
