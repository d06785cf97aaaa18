package dev.anneal.training.model;

import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Uniform noise on the embedded tokens of a micro-batch (NEFTune, Jain et al. 2023): within {@code
 * ±alpha / sqrt(L * hidden_size)}, where {@code L} is the length of the token's row. A number is a
 * hash of its row's seed, its position and its channel, made in whole numbers, so that it is the
 * same on every device and in whatever micro-batch the row is.
 *
 * @param alpha 0 adds nothing
 * @param rowSeeds a seed for each row of the micro-batch
 */
public record EmbeddingNoise(double alpha, long... rowSeeds) {

  /** Adds nothing: evaluation, generation. */
  public static final EmbeddingNoise NONE = new EmbeddingNoise(0);

  /** Numbers that are made at once. */
  private static final long MAX_ELEMENTS = 1L << 22;

  /** The random numbers are the odd ones between {@code -2^23} and {@code 2^23}. */
  private static final double RANGE = 1L << 23;

  // lowbias32 (Wellons 2018)
  private static final int FIRST_FACTOR = 0x7feb352d;
  private static final int SECOND_FACTOR = 0x846ca68b;

  /**
   * Adds the noise in place.
   *
   * @param embedded {@code [T, hidden_size]}
   * @param batch the micro-batch, where {@code embedded} is
   */
  void addTo(Tensor embedded, TokenBatch batch) {
    if (alpha == 0) {
      return;
    }
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      long tokens = embedded.size(0);
      long hiddenSize = embedded.size(1);
      Tensor keys = batch.copied(keys(batch)).to(ScalarType.Int).view(2, tokens, 1);
      Tensor scales = batch.copied(scales(batch, hiddenSize)).to(ScalarType.Float).view(tokens, 1);
      Tensor channels = Tensors.emptyLike(embedded, ScalarType.Int, hiddenSize);
      mix(torch.arange_out(channels, Tensors.whole(hiddenSize)));
      long size = Math.max(1, MAX_ELEMENTS / hiddenSize);
      for (long first = 0; first < tokens; first += size) {
        try (TensorScope inner = new TensorScope()) {
          long count = Math.min(size, tokens - first);
          Tensor chunkKeys = keys.narrow(1, first, count);
          Tensor bits = chunkKeys.select(0, 0).bitwise_xor(channels);
          mix(bits);
          mix(bits.add_(chunkKeys.select(0, 1)));
          Tensor odd = bits.bitwise_right_shift_(Tensors.whole(8)).bitwise_or_(Tensors.whole(1));
          embedded
              .narrow(0, first, count)
              .add_(odd.to(ScalarType.Float).mul_(scales.narrow(0, first, count)));
        }
      }
    }
  }

  /** {@code [2 T]} int64: of every token's key one half of 32 bits, then the other. */
  private Tensor keys(TokenBatch batch) {
    int tokens = batch.tokens();
    long[] keys = new long[2 * tokens];
    int at = 0;
    for (int row = 0; row < batch.rowLengths().length; row++) {
      for (int position = 0; position < batch.rowLengths()[row]; position++, at++) {
        long key = Seeds.mix(rowSeeds[row], position);
        keys[at] = (int) key;
        keys[tokens + at] = (int) (key >> Integer.SIZE);
      }
    }
    return Tensors.of(keys);
  }

  /** {@code [T]} fp64: what the random numbers of every token are multiplied with. */
  private Tensor scales(TokenBatch batch, long hiddenSize) {
    double[] scales = new double[batch.tokens()];
    int at = 0;
    for (int length : batch.rowLengths()) {
      Arrays.fill(scales, at, at + length, alpha / Math.sqrt((double) length * hiddenSize) / RANGE);
      at += length;
    }
    return Tensors.of(scales);
  }

  /** lowbias32, in place on int32. */
  private static void mix(Tensor bits) {
    xorWithShifted(bits, 16);
    bits.mul_(Tensors.whole(FIRST_FACTOR));
    xorWithShifted(bits, 15);
    bits.mul_(Tensors.whole(SECOND_FACTOR));
    xorWithShifted(bits, 16);
  }

  private static void xorWithShifted(Tensor bits, int by) {
    try (TensorScope scope = new TensorScope()) {
      // the shift repeats the sign, which does not belong there
      long mask = (1L << (Integer.SIZE - by)) - 1;
      Tensor shifted = bits.bitwise_right_shift(Tensors.whole(by));
      bits.bitwise_xor_(shifted.bitwise_and_(Tensors.whole(mask)));
    }
  }
}
