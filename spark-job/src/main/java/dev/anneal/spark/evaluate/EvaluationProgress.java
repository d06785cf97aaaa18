package dev.anneal.spark.evaluate;

import dev.anneal.spark.progress.DriverChannel;
import dev.anneal.spark.progress.DriverCommand;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.progress.RankEvent;
import java.util.HashMap;
import java.util.Map;

/** Shows what the ranks of an evaluation tell. Called by one thread. */
final class EvaluationProgress implements DriverChannel.Receiver {
  private final ProgressDisplay display;
  private final long sequences;
  private final Map<Integer, Long> doneByRank = new HashMap<>();

  EvaluationProgress(ProgressDisplay display, long sequences) {
    this.display = display;
    this.sequences = sequences;
  }

  @Override
  public DriverCommand receive(String attempt, RankEvent event) {
    if (event instanceof RankEvent.Phase phase) {
      display.phaseOfRanks(phase.phase());
    } else if (event instanceof RankEvent.Progress progress) {
      display.progress(progress);
    } else if (event instanceof RankEvent.Measured measured) {
      doneByRank.put(measured.rank(), measured.done());
      long done = doneByRank.values().stream().mapToLong(Long::longValue).sum();
      display.progress("evaluating", done, sequences, "sequences");
    }
    return DriverCommand.GO_ON;
  }
}
