package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a rank says when it fails: which rank, at which step, in which layer, and why. */
class FailureTest {
  @TempDir Path output;
  private ReferenceRun reference;
  private List<TokenSequence> rows;
  private final RecordingListener listener = new RecordingListener();

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.load();
    rows = new ArrayList<>(reference.rows());
  }

  @Test
  void lossThatIsNoNumber() {
    Recipe recipe = recipe().constantLearningRate(1e30);
    assertThatThrownBy(() -> train(recipe, new SingleRank()))
        .isInstanceOf(TrainingException.class)
        .hasMessage(
            "rank 0, step 2, the loss is NaN, which comes from sequence 8, sequence 9, sequence 10,"
                + " sequence 11, sequence 12, sequence 13, sequence 14, sequence 15 of rank 0: lower"
                + " optimizer.learning_rate or check the data.");
    assertThat(listener.steps()).hasSize(1);
  }

  @Test
  void nativeFailureInALayer() {
    // the second step's first row says that it is shorter than it is
    int[] ids = rows.get(8).inputIds();
    rows.set(8, new TokenSequence(ids, new int[] {ids.length - 1}, new int[0]));
    assertThatThrownBy(() -> train(recipe(), new SingleRank()))
        .isInstanceOf(TrainingException.class)
        .hasMessageStartingWith("rank 0, step 2, layer 0, forward: The size of tensor a")
        .message()
        .hasLineCount(1);
  }

  @Test
  void failureInTheBackwardOfALayer() {
    // the embedding is gathered, layers of four matrices forward, 0, 1, 2, and the head; backward,
    // 2 and 1 are still there
    Ranks ranks = new Ranks(Device.CPU, new SingleRank(), new FailingCollectives(15));
    TrainingSpec spec = recipe().batch(8, 1).shard(Shard.WORLD).spec();
    TrainingRun.Inputs inputs = reference.inputs(null, rows, output);
    assertThatThrownBy(() -> TrainingRun.run(spec, inputs, ranks, listener))
        .isInstanceOf(TrainingException.class)
        .hasMessage("rank 0, step 1, layer 0, recomputed forward: no such peer");
  }

  @Test
  void tokenBeyondTheVocabulary() {
    rows.set(0, new TokenSequence(new int[] {1, 320}, new int[] {2}, new int[] {1, 2}));
    assertThatThrownBy(() -> train(recipe(), new SingleRank()))
        .isInstanceOf(TrainingException.class)
        .hasMessageStartingWith("rank 0, step 1, index out of range")
        .message()
        .hasLineCount(1);
  }

  @Test
  void failureInTheHeldOutRows() {
    TokenSequence bad = new TokenSequence(new int[] {1, 320}, new int[] {2}, new int[] {1, 2});
    TrainingRun.Inputs inputs = reference.inputs(null, rows, List.of(bad), List.of(), output);
    assertThatThrownBy(
            () -> TrainingRun.run(recipe().spec(), inputs, Ranks.onCpu(new SingleRank()), listener))
        .isInstanceOf(TrainingException.class)
        .hasMessageStartingWith("rank 0, evaluation after step 0, index out of range")
        .message()
        .hasLineCount(1);
  }

  @Test
  void unreadableData() {
    SequenceSource broken =
        new SequenceSource() {
          @Override
          public long size() {
            return 160;
          }

          @Override
          public TokenSequence read(long index) throws IOException {
            throw new IOException("part-00000.arrow is gone");
          }

          @Override
          public void close() {}
        };
    TrainingRun.Inputs inputs =
        new TrainingRun.Inputs(
            new ModelSource.Folder(reference.model()),
            null,
            broken,
            null,
            List.of(),
            "tiny",
            new LocalOutputFolder(output),
            CheckpointPlan.NONE);
    assertThatThrownBy(
            () -> TrainingRun.run(recipe().spec(), inputs, Ranks.onCpu(new SingleRank()), listener))
        .isInstanceOf(TrainingException.class)
        .hasMessage("rank 0, step 1, part-00000.arrow is gone");
  }

  @Test
  void cancellationStopsBetweenStepsAndWritesNothing() {
    RecordingListener cancelling =
        new RecordingListener() {
          @Override
          public boolean cancelled() {
            return steps().size() == 2;
          }
        };
    TrainingRun.Inputs inputs = reference.inputs(null, rows, output);
    assertThatThrownBy(
            () ->
                TrainingRun.run(recipe().spec(), inputs, Ranks.onCpu(new SingleRank()), cancelling))
        .isInstanceOf(TrainingCancelled.class)
        .hasMessage("training was cancelled after step 2");
    assertThat(cancelling.steps()).hasSize(2);
    assertThat(output).isEmptyDirectory();
  }

  private Recipe recipe() {
    return Recipe.from(reference.spec(1)).steps(5).constantLearningRate(0.01);
  }

  private void train(Recipe recipe, Collectives collectives) {
    TrainingRun.run(
        recipe.spec(), reference.inputs(null, rows, output), Ranks.onCpu(collectives), listener);
  }

  /** Rank 0 of two alike, whose {@code n}-th gather fails. */
  private static final class FailingCollectives implements Collectives {
    private final SingleRank single = new SingleRank();
    private int left;

    FailingCollectives(int n) {
      this.left = n;
    }

    @Override
    public int rank() {
      return 0;
    }

    @Override
    public int worldSize() {
      return 2;
    }

    @Override
    public void allReduceSum(Tensor tensor) {}

    @Override
    public Tensor allGather(Tensor shard) {
      if (--left == 0) {
        throw new IllegalStateException("no such peer");
      }
      return Tensors.cat(shard, shard);
    }

    @Override
    public void allGatherInto(Tensor whole, Tensor shard) {
      whole.copy_(allGather(shard));
    }

    @Override
    public void reduceScatterSum(Tensor shard, Tensor whole) {
      single.reduceScatterSum(shard, whole);
    }

    @Override
    public void abort() {}

    @Override
    public void barrier() {}

    @Override
    public void close() {}
  }
}
