package dev.anneal.spark.faults;

import dev.anneal.spark.faults.Held.Phase;

/** Places in a run of the tests' settings, by the methods that are entered there. */
final class Phases {
  private static final int LAYERS = 4;

  private Phases() {}

  /** In the middle of the layers of a step, counted from 1; a layer recomputes its forward. */
  static Phase forward(int rank, int step) {
    return new Phase(
        "dev.anneal.training.model.LlamaLayer",
        "forward",
        "rank " + rank,
        2 * LAYERS * (step - 1) + LAYERS / 2);
  }

  /** Between two layers' gradients of a step; the peers are in the collective already. */
  static Phase allReduce(int rank, int step) {
    return new Phase(
        "dev.anneal.training.collective.GlooCollectives",
        "reduceScatterSum",
        "rank " + rank,
        LAYERS * (step - 1) + LAYERS / 2);
  }

  /** Behind the first of the three tensors of a rank's part of the {@code number}-th checkpoint. */
  static Phase checkpoint(int rank, int number) {
    return new Phase(
        "dev.anneal.training.checkpoint.PartFiles",
        "part",
        "checkpoint-writer-" + rank,
        3 * (number - 1) + 2);
  }

  /** Rank 0 is about to write the result. */
  static Phase publishing() {
    return new Phase("dev.anneal.training.trainer.ResultWriter", "write", "rank 0", 1);
  }

  /**
   * The driver has copied a file of the result to its place in an object store, and not the next.
   */
  static Phase copying() {
    return new Phase("dev.anneal.spark.storage.RunFolder", "copy", "main", 2);
  }

  /** A task is about to write what it shuffles to its local disk. */
  static Phase shuffle() {
    return new Phase(
        "org.apache.spark.shuffle.ShuffleWriteProcessor",
        "write",
        "Executor task launch worker",
        1);
  }

  /** A task is about to write a part of the data set. */
  static Phase preparation() {
    return new Phase("dev.anneal.data.prep.PartTask", "call", "Executor task launch worker", 1);
  }
}
