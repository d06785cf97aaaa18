package dev.anneal.training.checkpoint;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.Concurrently;
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
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Brings a rank back to where a checkpoint was taken, at whatever world size that was. */
public final class CheckpointReader {
  /** 8 MB. */
  private static final long PIECE_ELEMENTS = 2L << 20;

  private static final int PIECES_AT_ONCE = 8;

  private final ModelFolder folder;
  private final TrainerState state;
  private final BucketParts stored;
  private final Parameters parameters;
  private final int rank;
  private final long pieceElements;

  private CheckpointReader(
      ModelFolder folder, TrainerState state, Parameters parameters, int rank, long pieceElements) {
    this.folder = folder;
    this.state = state;
    this.stored = state.parts();
    this.parameters = parameters;
    this.rank = rank;
    this.pieceElements = pieceElements;
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
    return restore(resume, run, parameters, optimizer, rank, PIECE_ELEMENTS);
  }

  /** The same with at most {@code pieceElements} elements in a read. */
  static TrainerState restore(
      ResumePoint resume,
      TrainerState run,
      Parameters parameters,
      AdamW optimizer,
      int rank,
      long pieceElements)
      throws IOException {
    String where = resume.folder().locationOf(TrainerState.FILE);
    TrainerState state = TrainerState.read(resume.folder());
    if (state.step() != resume.step()) {
      throw new InvalidCheckpointException(
          "%s is of step %s, but its checkpoint of step %s."
              .formatted(where, state.step(), resume.step()));
    }
    state.requireSameRun(run, where);
    try {
      new CheckpointReader(resume.folder(), state, parameters, rank, pieceElements).read(optimizer);
    } catch (InvalidModelException e) {
      throw new InvalidCheckpointException(e.getMessage(), e);
    }
    optimizer.resumeAt(state.optimizerStep());
    parameters.publish();
    return run.after(state.step(), state.optimizerStep(), state.skippedInARow())
        .with(state.evaluation());
  }

  private void read(AdamW optimizer) throws IOException {
    for (int writer = 0; writer < state.worldSize(); writer++) {
      if (hasMine(writer)) {
        try (SafetensorsFile file =
            SafetensorsFile.open(folder, RankFile.name(writer, state.worldSize()))) {
          check(file);
          List<Piece> pieces = new ArrayList<>();
          plan(file, writer, RankFile.MASTER, parameters.master(), pieces);
          plan(file, writer, RankFile.EXP_AVG, optimizer.expAvg(), pieces);
          plan(file, writer, RankFile.EXP_AVG_SQ, optimizer.expAvgSq(), pieces);
          for (int i = 0; i < pieces.size(); i += PIECES_AT_ONCE) {
            read(file, pieces.subList(i, Math.min(i + PIECES_AT_ONCE, pieces.size())));
          }
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
          "%s must have the tensors %s, %s and %s of %s F32 numbers, and nothing else."
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
    long mine = parameters.layout().parts().part(bucket);
    long theirs = stored.part(bucket);
    return new Stretch(
        Math.max(rank * mine, writer * theirs),
        Math.min(stored.numels().get(bucket), Math.min((rank + 1) * mine, (writer + 1) * theirs)));
  }

  /** Elements of a tensor in a file, and where they go. */
  private record Piece(TensorEntry entry, long first, Tensor into, long at, long numel) {}

  private void plan(
      SafetensorsFile file, int writer, String name, Tensor into, List<Piece> pieces) {
    TensorEntry entry = file.header().entries().get(name);
    for (int bucket = 0; bucket < stored.numels().size(); bucket++) {
      Stretch stretch = common(bucket, writer);
      long from = stored.offset(bucket) - writer * stored.part(bucket);
      BucketParts parts = parameters.layout().parts();
      long to = parts.offset(bucket) - rank * parts.part(bucket);
      for (long at = stretch.begin(); at < stretch.end(); at += pieceElements) {
        long numel = Math.min(pieceElements, stretch.end() - at);
        pieces.add(new Piece(entry, from + at, into, to + at, numel));
      }
    }
  }

  /** A piece, and the host memory it is read into. */
  private record Staged(Piece piece, Tensor values, ByteBuffer bytes) {
    static Staged of(Piece piece) {
      Tensor values = Tensors.empty(ScalarType.Float, piece.numel());
      return new Staged(piece, values, Tensors.bytes(values, 0).asByteBuffer());
    }

    void copy() {
      piece.into().narrow(0, piece.at(), piece.numel()).copy_(values);
    }
  }

  /** Reads the pieces all at once, then copies them to where they go. */
  private static void read(SafetensorsFile file, List<Piece> pieces) throws IOException {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      List<Staged> staged = pieces.stream().map(Staged::of).toList();
      Concurrently.forEach(
          staged,
          PIECES_AT_ONCE,
          read -> file.read(read.piece().entry(), read.piece().first(), read.bytes()));
      staged.forEach(Staged::copy);
    }
  }
}
