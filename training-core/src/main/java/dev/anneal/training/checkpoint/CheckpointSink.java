package dev.anneal.training.checkpoint;

import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.OutputFolder;

/**
 * Where a rank's part of a checkpoint goes, and who hears of it. A checkpoint is complete when
 * whoever hears of the parts has heard of all and has written its {@link CheckpointManifest}. But
 * for {@link #leftOut} and {@link #stored}, calls come from the thread that writes beside the
 * training.
 */
public interface CheckpointSink {

  /**
   * The folder of this attempt's files of the checkpoint that is taken after {@code step} steps.
   */
  OutputFolder folder(long step);

  /** Every file of a rank's part is there; returns when that is known where it has to be. */
  void written(CheckpointPart part);

  /** A rank's part could not be written; training goes on without this checkpoint. */
  void failed(long step, int rank, String reason);

  /**
   * No rank takes the checkpoint that is due after {@code step} steps, because one of them is still
   * writing the last. Told by rank 0, from its training.
   */
  void leftOut(long step);

  /**
   * The files of the checkpoint after {@code step} steps, which every rank has written in this
   * attempt, or which the one that it goes on from names as its best. Asked for by runs that
   * publish their best adapter, from their training.
   */
  default ModelFolder stored(long step) {
    throw new UnsupportedOperationException("checkpoints are not read back");
  }
}
