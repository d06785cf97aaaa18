package dev.anneal.spark.train;

import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.CheckpointSink;
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
    channel.send(new RankEvent.CheckpointPartLost(step, rank, reason));
  }
}
