package dev.anneal.spark.train;

import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.CheckpointSink;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.OutputFolder;

/** Where the ranks of an attempt write their checkpoints, and the driver hears of them. */
record ReportedCheckpoints(Attempt attempt, RankChannel channel) implements CheckpointSink {

  @Override
  public OutputFolder folder(long step) {
    return attempt.checkpoint(step);
  }

  @Override
  public void written(CheckpointPart part) {
    channel.deliver(new RankEvent.CheckpointPartWritten(part));
  }

  @Override
  public void failed(long step, int rank, String reason) {
    String why = StoreRefusal.sentence(String.valueOf(reason)).orElse(reason);
    lost(step, "rank %s could not write its part: %s".formatted(rank, why));
  }

  @Override
  public void leftOut(long step) {
    lost(step, "the one before is still being written; a larger checkpoint.every_steps gives time");
  }

  @Override
  public ModelFolder stored(long step) {
    return attempt.stored(step);
  }

  private void lost(long step, String sentence) {
    channel.send(new RankEvent.CheckpointLost(step, sentence));
  }
}
