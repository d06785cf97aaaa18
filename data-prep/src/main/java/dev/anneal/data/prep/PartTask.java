package dev.anneal.data.prep;

import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.manifest.Split;
import dev.anneal.data.prep.PartTask.TrainPart;
import dev.anneal.data.prep.RowPreparer.Kept;
import dev.anneal.data.prep.RowPreparer.Outcome;
import dev.anneal.data.prep.RowTally.LeftOut;
import dev.anneal.data.prep.SplitWriter.Packing;
import dev.anneal.data.prep.SplitWriter.Written;
import dev.anneal.data.source.SourceRow;
import dev.anneal.data.task.TaskFailure;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Spliterators;
import java.util.stream.StreamSupport;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.broadcast.Broadcast;
import scala.Tuple2;

/**
 * The task that writes one file of the training split.
 *
 * @param firstHeldOut smallest key of the rows that are held out
 * @param lastHeldOut largest key of the rows that are held out
 */
record PartTask(
    String folder,
    int maxLength,
    Packing packing,
    long firstHeldOut,
    long lastHeldOut,
    Storage storage,
    Broadcast<RowPreparer> preparer)
    implements Function2<Integer, Iterator<Tuple2<Long, SourceRow>>, Iterator<TrainPart>> {

  /**
   * What a task reports.
   *
   * @param written the file it wrote
   * @param tally all rows that it saw, held out ones too
   * @param quarantine the file with the rows that it left out; null where there are none
   */
  record TrainPart(Written written, RowTally tally, String quarantine) implements Serializable {}

  static PartTask of(
      PrepSpec spec,
      String folder,
      Storage storage,
      Broadcast<RowPreparer> preparer,
      HeldOut heldOut) {
    return new PartTask(
        folder,
        spec.sequences().maxLength(),
        spec.sequences().packing() ? Packing.ON : Packing.OFF,
        heldOut.firstKey(),
        heldOut.lastKey(),
        storage,
        preparer);
  }

  @Override
  public Iterator<TrainPart> call(Integer partition, Iterator<Tuple2<Long, SourceRow>> rows) {
    return List.of(TaskFailure.readable(() -> write(partition, rows))).iterator();
  }

  private TrainPart write(int partition, Iterator<Tuple2<Long, SourceRow>> rows)
      throws IOException {
    RowTally tally = new RowTally();
    List<LeftOut> leftOut = new ArrayList<>();
    Iterator<TokenizedRow> trained =
        StreamSupport.stream(Spliterators.spliteratorUnknownSize(rows, 0), false)
            .<TokenizedRow>mapMulti(
                (row, kept) -> {
                  Outcome outcome = preparer.value().prepare(row._2());
                  LeftOut left = tally.count(row._2(), outcome);
                  if (left != null) {
                    leftOut.add(left);
                  }
                  if (outcome instanceof Kept usable && !isHeldOut(row._1())) {
                    usable.pieces().forEach(kept);
                  }
                })
            .iterator();
    String name = Split.TRAIN.fileName(partition);
    Written written = new SplitWriter(maxLength, packing).write(folder, name, trained, storage);
    String quarantine = Quarantine.writePart(folder, partition, leftOut, storage);
    return new TrainPart(written, tally, quarantine);
  }

  private boolean isHeldOut(long key) {
    return firstHeldOut <= key && key <= lastHeldOut;
  }
}
