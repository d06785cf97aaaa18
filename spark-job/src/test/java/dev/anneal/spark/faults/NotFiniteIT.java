package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A row that makes the loss of its step NaN. */
@ExtendWith(FaultsExtension.class)
class NotFiniteIT {
  /** Counted from 0; two rows a step: it is the second one of step 8. */
  private static final int POISONED_ROW = 15;

  private static final int POISONED_STEP = 8;
  private static final int ROWS = 2 * Faults.STEPS;
  private static final int ROW_TOKENS = 40;

  private final Faults faults;
  @TempDir Path folder;
  private String[] options;

  NotFiniteIT(Faults faults) {
    this.faults = faults;
  }

  @BeforeEach
  void poison() throws IOException {
    options =
        new String[] {
          "--set",
          "model.path=" + PoisonedModel.write(folder.resolve("model")),
          "--set",
          "model.tokenizer=" + FaultCluster.HOME.resolve("conf/tiny/model"),
          "--set",
          "data.source=" + rows(folder.resolve("rows.jsonl")),
          "--set",
          "data.format=tokenized",
          "--set",
          "data.shuffle=false"
        };
  }

  @Test
  void endsTheRunAndNamesStepRowAndCheckpoint() throws Exception {
    RunOutput output = new RunOutput(folder.resolve("stopped"));
    try (SubmittedJob job = faults.start("run", output, options)) {
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
      assertThat(job.err().lines())
          .singleElement()
          .asString()
          .contains(
              "step %s, the loss is NaN".formatted(POISONED_STEP),
              "sequence %s (".formatted(POISONED_ROW),
              "The same command goes on after step 6.");
      // the same step would give the same again
      assertThat(job.out()).doesNotContain("Beginning again");
      faults.cluster().assertNoExecutors();
    }
    output.assertFailed(".*step %s, the loss is NaN.*".formatted(POISONED_STEP));
    assertThat(output.lastCheckpoint()).isEqualTo(6);
  }

  @Test
  @Tag("faults")
  void isSkippedAndCountedWhereThatIsAskedFor() throws Exception {
    RunOutput output = new RunOutput(folder.resolve("skipped"));
    List<String> more = new ArrayList<>(List.of(options));
    more.addAll(List.of("--set", "training.on_nan=skip"));
    try (SubmittedJob job = faults.start("run", output, more.toArray(String[]::new))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
    assertThat(output.metrics()).hasSize(Faults.STEPS);
    assertThat(output.metrics())
        .filteredOn(line -> line.contains("\"skipped\":true"))
        .singleElement()
        .asString()
        .contains("\"step\":%s,".formatted(POISONED_STEP));
    assertThat(output.record().at("/totals/skipped_steps").asInt()).isEqualTo(1);
  }

  private static Path rows(Path file) throws IOException {
    Random random = new Random(1);
    List<String> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      int[] ids = random.ints(ROW_TOKENS, 10, 900).toArray();
      if (i == POISONED_ROW) {
        ids[3] = PoisonedModel.POISON;
      }
      rows.add(
          "{\"input_ids\": %s, \"prompt_length\": 10}"
              .formatted(IntStream.of(ids).boxed().toList()));
    }
    return Files.write(file, rows);
  }
}
