package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.checkpoint.ResumePoint;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.LocalModelFolder;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run that is to go on from a checkpoint that does not serve says why it does not. */
class UnusableCheckpointTest {
  @TempDir Path folder;
  private Path step;

  @BeforeEach
  void take() {
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    ResumableRun.FP32.run(
        new SingleRank(), folder.resolve("whole"), checkpoints.every(6), new RecordingListener());
    step = checkpoints.path(6);
  }

  @Test
  void anotherModesParameters() {
    assertRefused(
        ResumableRun.FULL, 6, "trainer.json is of another run: its number of buckets is 2, but");
  }

  @Test
  void anotherStep() {
    assertRefused(ResumableRun.FP32, 5, "trainer.json is of step 6, but its checkpoint of step 5.");
  }

  @Test
  void moreStepsThanTheRunHas() {
    assertRefused(
        ResumableRun.FP32, 7, "is a checkpoint of step 7, but this run has only 6 steps.");
  }

  @Test
  void withoutTrainerState() throws IOException {
    Files.delete(step.resolve("trainer.json"));
    assertRefused(ResumableRun.FP32, 6, "has no trainer.json.");
  }

  @Test
  void withoutARanksPart() throws IOException {
    Files.delete(part());
    assertRefused(ResumableRun.FP32, 6, "has no rank-00000-of-00001.safetensors.");
  }

  @Test
  void truncatedPart() throws IOException {
    try (FileChannel channel = FileChannel.open(part(), StandardOpenOption.WRITE)) {
      channel.truncate(channel.size() - 1);
    }
    assertRefused(ResumableRun.FP32, 6, "is truncated");
  }

  @Test
  void partOfOtherTensors() throws IOException {
    Files.copy(
        step.resolve("adapter_model.safetensors"), part(), StandardCopyOption.REPLACE_EXISTING);
    assertRefused(ResumableRun.FP32, 6, "must have the tensors master, exp_avg and exp_avg_sq of ");
  }

  private Path part() {
    return step.resolve("rank-00000-of-00001.safetensors");
  }

  private void assertRefused(ResumableRun run, long at, String problem) {
    ResumePoint resume = new ResumePoint(at, new LocalModelFolder(step));
    RecordingListener listener = new RecordingListener();
    assertThatThrownBy(
            () ->
                run.run(
                    new SingleRank(),
                    folder.resolve("result"),
                    new CheckpointPlan(0, null, resume),
                    listener))
        .isInstanceOf(InvalidCheckpointException.class)
        .hasMessageStartingWith(step.toString())
        .hasMessageContaining(problem)
        .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1));
    assertThat(listener.steps()).isEmpty();
  }
}
