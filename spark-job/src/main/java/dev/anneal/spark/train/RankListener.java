package dev.anneal.spark.train;

import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.trainer.StepMetrics;
import dev.anneal.training.trainer.TrainingListener;
import org.apache.spark.TaskContext;

/**
 * Sends what rank 0 hears to the driver (all ranks hear the same), and hears of Spark's kill.
 *
 * @param check throws if a group has ended, since what a GPU gives then is void
 */
record RankListener(int rank, TaskContext context, Runnable check) implements TrainingListener {

  @Override
  public void onPhase(String phase) {
    send(new RankEvent.Phase(phase));
  }

  @Override
  public void onProgress(String phase, long doneBytes, long totalBytes) {
    send(new RankEvent.Progress(phase, doneBytes, totalBytes));
  }

  @Override
  public void onStep(StepMetrics metrics) {
    send(new RankEvent.Step(metrics));
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
  public boolean cancelled() {
    return context.isInterrupted();
  }

  private void send(RankEvent event) {
    check.run();
    if (rank == 0) {
      RankChannel.send(event);
    }
  }
}
