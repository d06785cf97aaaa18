package dev.anneal.training.optim;

import java.util.function.BiConsumer;
import org.bytedeco.pytorch.Tensor;

/**
 * The values that models compute with, and where buckets of them are whole. All ranks make the same
 * calls in the same order.
 */
interface ComputeValues extends AutoCloseable {
  /** No bucket, and no place. */
  int NONE = -1;

  /** This rank's parts of all buckets, {@code [n]}, which the current stream may write. */
  Tensor own();

  /** {@link #own} was written by the current stream. */
  void changed();

  /** In how many places a bucket can be. */
  int places();

  /** The memory of a bucket in a place, {@code [n]} with its padding. */
  Tensor bucket(int place, int bucket);

  /**
   * Where a bucket's values are, for what the current stream does next. Where buckets come into
   * places by turns, the second one that comes after it takes its place.
   *
   * @param next the bucket that will be used after it, which may come meanwhile; or {@link #NONE}
   */
  int use(int bucket, int next);

  /** Whether all values are on every rank. */
  boolean areTogether();

  /**
   * The values of all buckets end to end, for what the current stream does next.
   *
   * @throws IllegalStateException if they never {@link #areTogether}
   */
  Tensor all();

  /**
   * Brings the buckets together one after the other and hands each that has any values to {@code
   * copy}, on a GPU with the exchange's stream as the current one.
   *
   * @throws IllegalStateException if they {@link #areTogether} already
   */
  void forEach(BiConsumer<Integer, Tensor> copy);

  /**
   * Makes the current stream, which is not the one that models compute on, wait for all that has
   * been gathered or handed on so far.
   */
  void awaitBeside();

  @Override
  void close();
}
