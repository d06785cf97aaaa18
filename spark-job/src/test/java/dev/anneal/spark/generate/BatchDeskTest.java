package dev.anneal.spark.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.Prompt;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Batches of requests that go on in the middle of one. */
class BatchDeskTest {
  private static final int COUNT = 11;
  private static final int BATCH_SIZE = 4;

  @Test
  void batchesAreThoseOfAnUndisturbedRequest() throws Exception {
    List<List<Long>> whole = batches(0, new ArrayList<>());
    assertThat(whole)
        .containsExactly(List.of(0L, 1L, 2L, 3L), List.of(4L, 5L, 6L, 7L), List.of(8L, 9L, 10L));
    List<Long> answered = new ArrayList<>();
    assertThat(batches(5, answered)).isEqualTo(whole.subList(1, 3));
    assertThat(answered).containsExactly(5L, 6L, 7L, 8L, 9L, 10L);
  }

  /** Numbers of the prompts of each batch; the later ones are done first. */
  private static List<List<Long>> batches(long first, List<Long> answered) throws Exception {
    try (PromptSpool spool = spool();
        PromptSpool.Reader asked = spool.open()) {
      asked.skipTo(first - first % BATCH_SIZE);
      BatchDesk desk = new BatchDesk(asked, first, COUNT, BATCH_SIZE, display());
      List<List<Prompt>> batches = new ArrayList<>();
      Optional<List<Prompt>> batch = desk.next();
      while (batch.isPresent()) {
        batches.add(batch.get());
        batch = desk.next();
      }
      for (int i = batches.size() - 1; i >= 0; i--) {
        desk.done(batches.get(i).stream().map(BatchDeskTest::completed).toList());
      }
      while (!desk.isComplete()) {
        assertThat(desk.isDry()).isFalse();
        desk.take(1).forEach(completion -> answered.add(completion.prompt().index()));
      }
      return batches.stream().map(all -> all.stream().map(Prompt::index).toList()).toList();
    }
  }

  private static PromptSpool spool() throws IOException {
    PromptSpool spool = PromptSpool.create();
    for (int i = 0; i < COUNT; i++) {
      spool.add("{}", new int[] {i});
    }
    return spool;
  }

  private static Completion completed(Prompt prompt) {
    return new Completion(prompt, new int[] {1}, Completion.Ending.MAX_TOKENS);
  }

  private static ProgressDisplay display() {
    return new ProgressDisplay(
        new PrintWriter(Writer.nullWriter()),
        ProgressDisplay.Medium.FILE,
        System::nanoTime,
        text -> text);
  }
}
