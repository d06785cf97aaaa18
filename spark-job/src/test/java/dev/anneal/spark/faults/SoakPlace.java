package dev.anneal.spark.faults;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Where the run writes that is disturbed, and how far it has come there. */
interface SoakPlace extends AutoCloseable {

  /** A complete checkpoint, and the attempt that took it. */
  record Checkpoint(int step, String attempt) {}

  Output output();

  /** Options for {@code submit.sh} that let a run write there. */
  List<String> options();

  /** The last complete checkpoint so far; of step 0 where there is none. */
  Checkpoint lastCheckpoint() throws IOException;

  /** What the run has left, in {@code folder} if it does not lie in one. */
  RunOutput result(Path folder) throws IOException;
}
