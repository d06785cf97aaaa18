package dev.anneal.spark.train;

import dev.anneal.spark.profile.ProfileSender;
import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.trainer.EvaluatedEnd;
import dev.anneal.training.trainer.StepMetrics;
import dev.anneal.training.trainer.TrainingListener;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Sends what rank 0 hears to the driver (all ranks hear the same), and hears of the driver's
 * heartbeat.
 *
 * @param cancelling whether the task is to end
 * @param check throws if a group has ended, since what a GPU gives then is void
 * @param profiles takes the rank's profile
 */
record RankListener(
    int rank,
    RankChannel channel,
    BooleanSupplier cancelling,
    NodeHeartbeat heartbeat,
    Runnable check,
    ProfileSender profiles)
    implements TrainingListener {

  @Override
  public void onPhase(String phase) {
    send(new RankEvent.Phase(phase));
  }

  @Override
  public void onProgress(String phase, long doneBytes, long totalBytes) {
    send(new RankEvent.Progress(phase, doneBytes, totalBytes));
  }

  @Override
  public void onPeakMemory(List<Long> bytes) {
    send(new RankEvent.PeakMemory(bytes));
  }

  @Override
  public void onStep(StepMetrics metrics) {
    send(new RankEvent.Step(metrics));
  }

  @Override
  public int profiledSteps() {
    return profiles.steps();
  }

  @Override
  public void onProfile(Profile profile) {
    profiles.send(profile);
  }

  @Override
  public void onEvaluation(long step, double evalLoss) {
    send(new RankEvent.Evaluation(step, evalLoss));
  }

  @Override
  public void onSample(long step, int sample, int[] promptIds, int[] generatedIds) {
    send(new RankEvent.Sample(step, sample, promptIds, generatedIds));
  }

  @Override
  public void onNotice(String sentence) {
    check.run();
    channel.send(new RankEvent.Phase(rank == 0 ? sentence : "rank " + rank + ": " + sentence));
  }

  @Override
  public void onEnd(EvaluatedEnd end) {
    send(new RankEvent.Ended(end));
  }

  @Override
  public void onResult(List<WrittenFile> files) {
    // what is told of the result must be known before the task is done
    check.run();
    channel.deliver(new RankEvent.Result(files));
  }

  @Override
  public boolean cancelled() {
    return cancelling.getAsBoolean();
  }

  @Override
  public boolean stopRequested() {
    return heartbeat.stopRequested();
  }

  private void send(RankEvent event) {
    check.run();
    if (rank == 0) {
      channel.send(event);
    }
  }
}
