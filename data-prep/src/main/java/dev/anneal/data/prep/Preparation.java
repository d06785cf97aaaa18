package dev.anneal.data.prep;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.storage.Storage;
import org.apache.spark.sql.SparkSession;

/**
 * A data set to be prepared, from its check to the finished files: the tokenizer is opened once, as
 * that takes longer than to prepare a thousand rows. It is left to the garbage collector: a killed
 * task may still be using it.
 */
public final class Preparation {
  private final PrepSpec spec;
  private final Storage storage;
  private RowPreparer preparer;

  public Preparation(PrepSpec spec, Storage storage) {
    this.spec = spec;
    this.storage = storage;
  }

  public PrepSpec spec() {
    return spec;
  }

  /**
   * Scans the source.
   *
   * @throws dev.anneal.data.error.InvalidDataException with the same sentence as {@link #run} if it
   *     would refuse
   */
  public PrepCheck.Report check() {
    return PrepCheck.check(spec, preparer(), storage);
  }

  /**
   * Writes the data set into {@link PrepSpec#datasetUri()}, over what an earlier run left there.
   *
   * @throws dev.anneal.data.error.InvalidDataException if the source or the tokenizer cannot be
   *     used; a {@link dev.anneal.data.error.LateRefusalException} once executors have worked on it
   * @throws java.io.UncheckedIOException if reading or writing fails on the way
   */
  public DatasetManifest run(SparkSession spark) {
    return PrepJob.run(spark, spec, preparer());
  }

  /** The tokenizer; null for rows that come tokenized without one. */
  public ChatTokenizer tokenizer() {
    return preparer().tokenizer();
  }

  private synchronized RowPreparer preparer() {
    if (preparer == null) {
      preparer = RowPreparer.load(spec, storage);
    }
    return preparer;
  }
}
