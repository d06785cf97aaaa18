package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.error.LateRefusalException;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetManifest.Part;
import dev.anneal.data.manifest.SourceFingerprint;
import dev.anneal.data.manifest.Split;
import dev.anneal.data.prep.HeldOut.Row;
import dev.anneal.data.prep.PartTask.TrainPart;
import dev.anneal.data.prep.RowPreparer.Kept;
import dev.anneal.data.prep.SplitWriter.Packing;
import dev.anneal.data.prep.SplitWriter.Written;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.data.source.SourceRow;
import dev.anneal.data.task.TaskFailure;
import dev.anneal.data.task.TaskFailure.Cause;
import dev.anneal.data.task.TaskResults;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Spliterators;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.StreamSupport;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import scala.Tuple2;

/**
 * The Spark job from instruction rows to a prepared data set: count, order, hold out, then
 * tokenize, pack and write, one task a file. What it writes follows from rows, tokenizer, spec and
 * seed alone, whatever the cluster; but a chat template that asks for the date writes today's,
 * which the manifest records as {@code template_date}.
 */
public final class PrepJob {
  private static final String ARROW = ".arrow";

  private final SparkSession spark;
  private final JavaSparkContext sc;
  private final PrepSpec spec;
  private final RowPreparer preparer;
  private final Storage storage;
  private final String folder;
  private boolean executorsWork;

  private PrepJob(SparkSession spark, PrepSpec spec, RowPreparer preparer) {
    this.spark = spark;
    this.sc = JavaSparkContext.fromSparkContext(spark.sparkContext());
    this.spec = spec;
    this.preparer = preparer;
    this.storage = new Storage(sc.hadoopConfiguration());
    this.folder = SourceFiles.qualified(spec.datasetUri(), storage);
  }

  /** As {@link Preparation#run}. */
  static DatasetManifest run(SparkSession spark, PrepSpec spec, RowPreparer preparer) {
    return new PrepJob(spark, spec, preparer).sayingWhy();
  }

  private DatasetManifest sayingWhy() {
    try {
      return run();
    } catch (Exception e) {
      // Spark throws checked exceptions that it does not declare.
      throw sayable(e);
    }
  }

  private DatasetManifest run() throws IOException {
    boolean table = TableSource.isTable(spec.rows().source(), storage);
    List<FileInfo> files =
        table
            ? List.of()
            : new ArrayList<>(SourceFiles.find(spec.rows().source(), spec.output(), storage));
    // taken before the files are read, so that a change on the way is noticed
    SourceFingerprint fingerprint = table ? null : spec.fingerprint(files, storage);
    Supplier<NumberedRows> opened =
        table
            ? TableSource.open(spark, spec, storage)
            : () -> SourceScan.rows(sc, spec, files, storage);
    executorsWork = true;
    NumberedRows source = opened.get();
    if (source.count() == 0) {
      throw Refusals.noRows(spec);
    }
    clear();
    preparer.comeFrom(FileSources.of(files));
    Broadcast<RowPreparer> shared = sc.broadcast(preparer);
    try {
      RowOrder order = new RowOrder(spec.sequences().shuffle(), spec.seed(), source.count());
      JavaPairRDD<Long, SourceRow> ordered = ordered(source, order);
      HeldOut heldOut = heldOut(ordered, shared);
      PartTask task = PartTask.of(spec, folder, storage, shared, heldOut);
      List<TrainPart> parts = TaskResults.collect(ordered.mapPartitionsWithIndex(task, true));
      return publish(fingerprint, heldOut, parts);
    } finally {
      // The tokenizer is left to the garbage collector: a killed task may still be using it.
      shared.destroy();
    }
  }

  private static JavaPairRDD<Long, SourceRow> ordered(NumberedRows source, RowOrder order) {
    return source
        .rows()
        .mapToPair(row -> new Tuple2<>(order.key(row.index()), row))
        .repartitionAndSortWithinPartitions(order);
  }

  /** Usable rows from the first partitions on if shuffled, else from the last ones back. */
  private HeldOut heldOut(JavaPairRDD<Long, SourceRow> ordered, Broadcast<RowPreparer> shared) {
    long atMost = spec.sequences().shuffle() ? spec.rows().evalRows() : Long.MAX_VALUE;
    JavaRDD<Row> usable = ordered.mapPartitions(rows -> usable(rows, shared.value(), atMost), true);
    List<Row> found = new ArrayList<>();
    int partitions = ordered.getNumPartitions();
    for (int i = 0; i < partitions && found.size() < spec.rows().evalRows(); i++) {
      int missing = spec.rows().evalRows() - found.size();
      int partition = spec.sequences().shuffle() ? i : partitions - 1 - i;
      List<Row> rows = TaskResults.collect(usable, partition);
      if (spec.sequences().shuffle()) {
        found.addAll(rows.subList(0, Math.min(missing, rows.size())));
      } else {
        found.addAll(0, rows.subList(Math.max(0, rows.size() - missing), rows.size()));
      }
    }
    return HeldOut.of(found);
  }

  private static Iterator<Row> usable(
      Iterator<Tuple2<Long, SourceRow>> rows, RowPreparer preparer, long atMost) {
    return StreamSupport.stream(Spliterators.spliteratorUnknownSize(rows, 0), false)
        .<Row>mapMulti(
            (row, usable) -> {
              if (preparer.prepare(row._2()) instanceof Kept kept) {
                usable.accept(new Row(row._1(), kept.row()));
              }
            })
        .limit(atMost)
        .iterator();
  }

  private DatasetManifest publish(SourceFingerprint source, HeldOut heldOut, List<TrainPart> parts)
      throws IOException {
    RowTally tally = new RowTally();
    parts.forEach(part -> tally.add(part.tally()));
    List<String> leftOut =
        parts.stream().map(TrainPart::quarantine).filter(Objects::nonNull).toList();
    Quarantine.join(folder, leftOut, storage);
    List<Written> train = parts.stream().map(TrainPart::written).toList();
    try {
      refuseIfUseless(tally, heldOut, Written.together(train, spec.sequences().maxLength()));
    } catch (InvalidDataException e) {
      delete(name -> name.endsWith(ARROW));
      throw e;
    }
    DatasetManifest manifest = manifest(source, tally, train, writeEval(heldOut));
    manifest.write(folder, storage);
    return manifest;
  }

  private void refuseIfUseless(RowTally tally, HeldOut heldOut, Part train) {
    if (Refusals.tooMany(spec, tally.badRows(), tally.read())) {
      throw Refusals.tooManyBadRows(spec, tally);
    }
    if (tally.kept() == 0) {
      throw Refusals.nothingLearned(spec);
    }
    for (String column : spec.rows().columns().values()) {
      if (!tally.mappedColumns().contains(column)) {
        throw Refusals.noSuchColumn(spec, column);
      }
    }
    if (train.rows() == 0 || heldOut.rows().size() < spec.rows().evalRows()) {
      throw Refusals.tooFewRows(spec, tally.kept());
    }
  }

  private List<Written> writeEval(HeldOut heldOut) throws IOException {
    if (heldOut.rows().isEmpty()) {
      return List.of();
    }
    Iterator<TokenizedRow> rows = heldOut.rows().stream().map(Row::row).iterator();
    SplitWriter writer = new SplitWriter(spec.sequences().maxLength(), Packing.OFF);
    return List.of(writer.write(folder, Split.EVAL.fileName(0), rows, storage));
  }

  private DatasetManifest manifest(
      SourceFingerprint source, RowTally tally, List<Written> train, List<Written> eval) {
    return new DatasetManifest(
        DatasetManifest.SCHEMA_VERSION,
        preparer.tokenizerSha256(),
        preparer.templateSha256(),
        preparer.templateDate(),
        spec.settings(),
        tally.toRows(),
        Written.together(train, spec.sequences().maxLength()),
        Written.together(eval, spec.sequences().maxLength()),
        tally.lengths(),
        source,
        notes(tally));
  }

  private List<String> notes(RowTally tally) {
    List<String> notes = new ArrayList<>();
    preparer.tokens().ifPresent(notes::add);
    preparer.warning().ifPresent(notes::add);
    if (!tally.unreadFields().isEmpty()) {
      notes.add("Fields that nothing reads: " + String.join(", ", tally.unreadFields()) + ".");
    }
    return notes;
  }

  /** Removes what an earlier preparation left, the manifest first. */
  private void clear() throws IOException {
    storage.delete(folder + "/" + DatasetManifest.FILE_NAME);
    delete(name -> name.endsWith(ARROW) || Quarantine.isOwn(name));
  }

  private void delete(Predicate<String> names) throws IOException {
    for (FileInfo file : storage.list(folder)) {
      if (names.test(file.uri().substring(file.uri().lastIndexOf('/') + 1))) {
        storage.delete(file.uri());
      }
    }
  }

  /** What stopped the job or one of its tasks, as an exception whose message is a sentence. */
  private RuntimeException sayable(Exception failure) {
    for (Cause cause : TaskFailure.causes(failure)) {
      if (cause.is(InvalidDataException.class)) {
        return executorsWork
            ? new LateRefusalException(cause.message(), failure)
            : new InvalidDataException(cause.message(), failure);
      }
      if (cause.is(UncheckedIOException.class)) {
        return new UncheckedIOException(cause.message(), new IOException(failure));
      }
      if (cause.is(IOException.class)) {
        return new UncheckedIOException(
            "The file system stopped the preparation of '"
                + spec.datasetUri()
                + "' ("
                + cause.message()
                + "): put that right and run again.",
            new IOException(failure));
      }
    }
    return failure instanceof RuntimeException e
        ? e
        : new IllegalStateException("The data preparation failed.", failure);
  }
}
