package dev.anneal.spark.progress;

import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.trainer.EvaluatedEnd;
import dev.anneal.training.trainer.MemoryChoice;
import dev.anneal.training.trainer.StepMetrics;
import java.io.Serializable;
import java.util.List;

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

  /**
   * The ranks have agreed on what their memory allows.
   *
   * @param choice what was left to memory to decide; {@code null}: nothing was
   * @param sentences for the user
   */
  record MemoryAgreed(MemoryChoice choice, List<String> sentences) implements RankEvent {
    public MemoryAgreed {
      sentences = List.copyOf(sentences);
    }
  }

  /** Something long begins. */
  record Phase(String phase) implements RankEvent {}

  /** How much of a phase rank 0 has done, of its own share. */
  record Progress(String phase, long doneBytes, long totalBytes) implements RankEvent {}

  /** How many sequences a rank has measured, of its own share. */
  record Measured(int rank, long done) implements RankEvent {}

  /**
   * The most memory that ranks have held so far, where one has held more than before.
   *
   * @param bytes of each rank
   */
  record PeakMemory(List<Long> bytes) implements RankEvent {
    public PeakMemory {
      bytes = List.copyOf(bytes);
    }
  }

  /** An optimizer step is done. */
  record Step(StepMetrics metrics) implements RankEvent {}

  /** The held-out loss after so many steps. */
  record Evaluation(long step, double evalLoss) implements RankEvent {}

  /** What the model generates from a held-out prompt after so many steps; both in token ids. */
  record Sample(long step, int sample, int[] prompt, int[] generated) implements RankEvent {}

  /** All steps of a run that was evaluated on its way are done. */
  record Ended(EvaluatedEnd end) implements RankEvent {}

  /**
   * A node's process lives; asks whether its ranks are to go on.
   *
   * @param executor Spark's id of the process
   */
  record Alive(String executor) implements RankEvent {}

  /**
   * A node's ranks leave, because the driver has been silent for too long.
   *
   * @param executor Spark's id of the process
   */
  record DriverSilent(String executor, long seconds) implements RankEvent {}

  /** A rank has written its part of a checkpoint. */
  record CheckpointPartWritten(CheckpointPart part) implements RankEvent {}

  /** There will be no checkpoint after {@code step} steps; the sentence says why. */
  record CheckpointLost(long step, String sentence) implements RankEvent {}

  /**
   * A rank has written its part of a profile into the attempt's own folder.
   *
   * @param firstStep counted from 1
   * @param lastStep counted from 1
   * @param beginNanos of its earliest span, nanoseconds since 1970 by the clock of its host
   * @param spans how many it has
   * @param isCut whether there were more
   */
  record Profiled(
      int rank,
      String host,
      long firstStep,
      long lastStep,
      long beginNanos,
      long spans,
      boolean isCut)
      implements RankEvent {}

  /** There is no part of this rank of the profile; the sentence says why. */
  record ProfileLost(int rank, String sentence) implements RankEvent {}

  /** Rank 0 has written the result into the attempt's own folder and has sent everything else. */
  record Result(List<WrittenFile> files) implements RankEvent {
    public Result {
      files = List.copyOf(files);
    }
  }

  /** A node's process was told to end from outside; its ranks ask the others to leave as well. */
  record ToldToEnd(int rank, String host) implements RankEvent {}

  /** A rank has failed. */
  record Failed(int rank, String host, String message, Cause cause) implements RankEvent {
    /** What stands behind a failure. */
    public enum Cause {
      /** Something that may pass: a file, a process, a device. */
      RANK,
      /** Something that a repetition meets again: the model, the data, too little memory. */
      REQUEST,
      /** The rank only noticed that another had left or that it did not come. */
      LOST_PEER,
      /** The same, because the connection to the other was closed. */
      PEER_CLOSED,
      /** The same, because the other did not answer in time. */
      PEER_SILENT;

      /** Whether the rank has no failure of its own. */
      boolean isLoss() {
        return this != RANK && this != REQUEST;
      }
    }
  }
}
