package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Rows;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Micro-batches come in their order, however far ahead they are read. */
class UpcomingBatchesTest {
  private static final int STEPS = 60;

  private final List<Long> read = new ArrayList<>();
  private final List<List<TokenSequence>> expected = new ArrayList<>();
  private long unreadable = -1;

  @Test
  void comeInTheirOrderFromAnyStepOn() throws IOException {
    GlobalBatches batches = batches(spec(3));
    UpcomingBatches upcoming = new UpcomingBatches(spec(3), batches, 5, expected::add);
    for (long step = 5; step < STEPS; step++) {
      assertThat(ids(upcoming.take())).as("step %s", step).isEqualTo(ids(batches.read(step)));
      upcoming.readAhead();
    }
  }

  @Test
  void theDistanceGrowsByOneAStepUpToSoManyMicroBatches() throws IOException {
    UpcomingBatches upcoming = new UpcomingBatches(spec(2), batches(spec(2)), 0, expected::add);
    List<Integer> microBatches = new ArrayList<>();
    for (int step = 0; step < 30; step++) {
      upcoming.take();
      upcoming.readAhead();
      microBatches.add(read.size() / 2);
    }
    // two micro-batches a step: 2 + 4 in the first, and 32 ahead in the end
    assertThat(microBatches).startsWith(6, 10, 14, 18);
    assertThat(microBatches.get(29)).isEqualTo(30 * 2 + 32);
    assertThat(expected).as("all but those of the first step").hasSize(29 * 2 + 32);
  }

  @Test
  void nothingIsReadTwiceNorBehindTheEnd() throws IOException {
    UpcomingBatches upcoming = new UpcomingBatches(spec(1), batches(spec(1)), 0, expected::add);
    for (int step = 0; step < STEPS; step++) {
      upcoming.take();
      upcoming.readAhead();
    }
    assertThat(read).isEqualTo(LongStream.range(0, 2 * STEPS).map(i -> i % 7).boxed().toList());
  }

  /** A row that cannot be read ends the run at its own step, and not while others are computed. */
  @Test
  void whatCannotBeReadFailsWhenItsStepComes() throws IOException {
    unreadable = 5;
    UpcomingBatches upcoming = new UpcomingBatches(spec(1), batches(spec(1)), 0, expected::add);
    // two sequences a step
    for (int step = 0; step < 2; step++) {
      upcoming.take();
      upcoming.readAhead();
    }
    assertThatThrownBy(upcoming::take).isInstanceOf(IOException.class).hasMessage("sequence 5");
    assertThat(read)
        .as("ahead but once, and then in its turn")
        .containsExactly(0L, 1L, 2L, 3L, 4L, 4L);
    unreadable = -1;
    assertThat(ids(upcoming.take())).isEqualTo(List.of(List.of(4, 5)));
    upcoming.readAhead();
    assertThat(read).as("once it can be read").endsWith(6L, 0L, 1L, 2L);
  }

  @Test
  void whatTheLayersSayIsHeard() throws IOException {
    UpcomingBatches upcoming =
        new UpcomingBatches(
            spec(1),
            batches(spec(1)),
            0,
            batch -> {
              throw new IllegalStateException("no GPU");
            });
    upcoming.take();
    assertThatThrownBy(upcoming::readAhead).hasMessage("no GPU");
    assertThat(ids(upcoming.take())).as("no step is left out").isEqualTo(List.of(List.of(2, 3)));
  }

  private static TrainingSpec spec(int gradientAccumulation) {
    return Recipe.full(STEPS, 0.01).batch(2, gradientAccumulation).inOrder().spec();
  }

  private GlobalBatches batches(TrainingSpec spec) {
    return new GlobalBatches(spec, new Counted(), Ranks.onCpu(new SingleRank()));
  }

  private static List<List<Integer>> ids(List<List<TokenSequence>> step) {
    return step.stream().map(batch -> batch.stream().map(s -> s.inputIds()[0]).toList()).toList();
  }

  /** Seven sequences that say which they are. */
  private final class Counted implements SequenceSource {
    @Override
    public long size() {
      return 7;
    }

    @Override
    public TokenSequence read(long index) throws IOException {
      if (index == unreadable) {
        throw new IOException("sequence " + index);
      }
      read.add(index);
      return Rows.row(1, (int) index, 2, 3);
    }

    @Override
    public void close() {}
  }
}
