package dev.anneal.data;

import dev.anneal.data.PartTask.TrainPart;
import dev.anneal.data.RowPreparer.Kept;
import dev.anneal.data.RowPreparer.Outcome;
import dev.anneal.data.SplitWriter.Packing;
import dev.anneal.data.SplitWriter.Written;
import dev.anneal.data.arrow.Split;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.io.Storage;
import dev.anneal.data.source.SourceRow;
import java.io.IOException;
import java.io.Serializable;
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
 * @param maxLeftOut how many rows that are left out the task reports
 * @param firstHeldOut smallest key of the rows that are held out
 * @param lastHeldOut largest key of the rows that are held out
 */
record PartTask(
    String folder,
    int maxLength,
    Packing packing,
    int maxLeftOut,
    long firstHeldOut,
    long lastHeldOut,
    Storage storage,
    Broadcast<RowPreparer> preparer)
    implements Function2<Integer, Iterator<Tuple2<Long, SourceRow>>, Iterator<TrainPart>> {

  // What the driver can hold of all tasks, and what every task may report however many they are.
  private static final int MAX_LEFT_OUT = 10_000;
  private static final int MIN_LEFT_OUT_PER_TASK = 10;

  /** What a task reports: the file it wrote and all rows that it saw, held out ones too. */
  record TrainPart(Written written, Census census) implements Serializable {}

  static PartTask of(
      PrepSpec spec,
      String folder,
      int tasks,
      Storage storage,
      Broadcast<RowPreparer> preparer,
      HeldOut heldOut) {
    return new PartTask(
        folder,
        spec.maxLength(),
        spec.packing() ? Packing.ON : Packing.OFF,
        Math.max(MIN_LEFT_OUT_PER_TASK, MAX_LEFT_OUT / tasks),
        heldOut.firstKey(),
        heldOut.lastKey(),
        storage,
        preparer);
  }

  @Override
  public Iterator<TrainPart> call(Integer partition, Iterator<Tuple2<Long, SourceRow>> rows)
      throws IOException {
    Census census = new Census(maxLeftOut);
    Iterator<TokenizedRow> trained =
        StreamSupport.stream(Spliterators.spliteratorUnknownSize(rows, 0), false)
            .<TokenizedRow>mapMulti(
                (row, kept) -> {
                  Outcome outcome = preparer.value().prepare(row._2().json());
                  census.count(row._2(), outcome);
                  if (outcome instanceof Kept usable && !isHeldOut(row._1())) {
                    kept.accept(usable.row());
                  }
                })
            .iterator();
    String name = Split.TRAIN.fileName(partition);
    Written written = new SplitWriter(maxLength, packing).write(folder, name, trained, storage);
    return List.of(new TrainPart(written, census)).iterator();
  }

  private boolean isHeldOut(long key) {
    return firstHeldOut <= key && key <= lastHeldOut;
  }
}
