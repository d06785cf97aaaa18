package dev.anneal.spark.progress;

import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.trainer.StepMetrics;
import java.io.Serializable;

/** What a rank tells the driver while it runs. */
public sealed interface RankEvent extends Serializable {

  /**
   * A rank has begun.
   *
   * @param executor Spark's id of the process it runs in
   * @param memoryBytes physical memory of its host
   * @param gpu that it computes on; {@code null} on the CPU
   */
  record Started(
      int rank,
      String host,
      String executor,
      long pid,
      int cores,
      long memoryBytes,
      String os,
      Gpu gpu)
      implements RankEvent {}

  /** Something long begins. */
  record Phase(String phase) implements RankEvent {}

  /** How much of a phase rank 0 has done, of its own share. */
  record Progress(String phase, long doneBytes, long totalBytes) implements RankEvent {}

  /** An optimizer step is done. */
  record Step(StepMetrics metrics) implements RankEvent {}

  /** The held-out loss after so many steps. */
  record Evaluation(long step, double evalLoss) implements RankEvent {}

  /** What the model generates from a held-out prompt after so many steps; both in token ids. */
  record Sample(long step, int sample, int[] prompt, int[] generated) implements RankEvent {}

  /** Rank 0 is done and has sent everything else. */
  record Done() implements RankEvent {}

  /**
   * A rank has failed.
   *
   * @param peerLost whether it only noticed that another rank had failed
   */
  record Failed(int rank, String host, String message, boolean peerLost) implements RankEvent {}
}
