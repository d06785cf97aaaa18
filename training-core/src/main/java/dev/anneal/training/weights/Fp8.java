package dev.anneal.training.weights;

import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Weights in e4m3 (fn: no infinities, largest value 448) with one fp32 scale a row, which the
 * tensor cores multiply as they are.
 *
 * @see <a href="https://arxiv.org/abs/2209.05433">Micikevicius et al. 2022</a>
 */
public final class Fp8 {
  private static final double LARGEST = 448;

  /** Values that are held in fp32 at a time: 256 MB. */
  public static final long PIECE_ELEMENTS = 1L << 26;

  private Fp8() {}

  /**
   * @param weight {@code [R, D]} of any floating-point dtype
   */
  static Quantized quantize(Tensor weight) {
    Tensor w32 = weight.to(ScalarType.Float);
    // libtorch multiplies with the reciprocal of a plain number on a GPU, which rounds differently
    Tensor largest = Tensors.emptyLike(w32, 1).fill_(Tensors.scalar(LARGEST));
    Tensor scale = w32.abs().amax(new long[] {1}, true).div_(largest);
    // a row of zeros, or of values too small for a scale of fp32
    scale.masked_fill_(scale.eq(Tensors.scalar(0)), Tensors.scalar(1));
    return new Quantized(w32.div(scale).to(ScalarType.Float8_e4m3fn), scale);
  }

  /** What {@code bytes [R, D]} of e4m3 and {@code scale [R]} stand for, in fp32. */
  public static Tensor dequantize(Tensor bytes, Tensor scale) {
    return bytes.to(ScalarType.Float).mul_(scale.unsqueeze(1));
  }

  /**
   * The same in {@code type}, by pieces of rows: the fp32 values of all of 405B's gate and up
   * projections would take 7 GB beside the result.
   *
   * @return {@code [R, D]} contiguous, in the current tensor scope
   */
  public static Tensor dequantize(Tensor bytes, Tensor scale, ScalarType type) {
    return dequantize(bytes, scale, type, PIECE_ELEMENTS);
  }

  static Tensor dequantize(Tensor bytes, Tensor scale, ScalarType type, long pieceElements) {
    try (TensorScope scope = new TensorScope()) {
      long rows = bytes.size(0);
      long piece = Math.max(1, pieceElements / bytes.size(1));
      Tensor result = Tensors.emptyLike(scale, type, rows, bytes.size(1));
      for (long first = 0; first < rows; first += piece) {
        try (TensorScope inner = new TensorScope()) {
          long count = Math.min(piece, rows - first);
          result
              .narrow(0, first, count)
              .copy_(dequantize(bytes.narrow(0, first, count), scale.narrow(0, first, count)));
        }
      }
      return scope.keep(result);
    }
  }
}
