package dev.anneal.training.kernel;

import dev.anneal.training.kernel.LowRankProduct.Form;
import dev.anneal.training.kernel.LowRankProduct.Memory;
import dev.anneal.training.kernel.LowRankProduct.Range;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** {@code struct Product} of {@code low_rank_product.cu}, as C lays it out. */
final class ProductStruct {
  /** What a map is aligned to, and so the struct. */
  private static final int ALIGNMENT = 64;

  private static final int MODULES = LowRankKernel.MODULES;

  private static final int MAP = 128;
  private static final int LEFT = 0;
  private static final int RIGHT = LEFT + MAP;
  private static final int RESULT = RIGHT + MAP;
  private static final int LOW = RESULT + MAP;
  private static final int FACTOR = LOW + MODULES * MAP;
  private static final int LEFT_SCALE = FACTOR + MODULES * MAP;
  private static final int RIGHT_SCALE = LEFT_SCALE + Long.BYTES;
  private static final int M = RIGHT_SCALE + Long.BYTES;
  private static final int N = M + Integer.BYTES;
  private static final int K = N + Integer.BYTES;
  private static final int BAND = K + Integer.BYTES;
  private static final int RANGES = BAND + Integer.BYTES;
  private static final int BEGIN = RANGES + Integer.BYTES;
  private static final int RANK = BEGIN + MODULES * Integer.BYTES;
  private static final int SCALE = RANK + MODULES * Integer.BYTES;
  private static final int END = SCALE + MODULES * Float.BYTES;

  static final int BYTES = (END + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

  /** Rows of a block that the copy engine brings of a factor that lies by rows. */
  private static final int ROWS = 128;

  /** Bf16 elements of a row of a block: the 128 bytes that a swizzled one has. */
  private static final int BF16 = 64;

  private static final int FP8 = 128;

  /** Pairs of tiles of rows that go through all columns together. */
  private static final int PAIRS = 16;

  /** Writes what the copy engine is told of matrices. */
  interface Maps {
    /**
     * In {@link #MAP} bytes.
     *
     * @param at where in the struct
     * @param fp8 whether its elements are bytes, else bf16
     * @param columns elements of a row of the blocks that are copied
     * @param rows of the blocks
     */
    void encode(int at, Memory memory, boolean fp8, int columns, int rows);
  }

  private final ByteBuffer bytes =
      ByteBuffer.allocateDirect(BYTES + ALIGNMENT)
          .alignedSlice(ALIGNMENT)
          .order(ByteOrder.nativeOrder());

  /** The struct, for the driver; the same memory for each product. */
  ByteBuffer bytes() {
    return bytes;
  }

  void set(LowRankProduct product, Maps maps) {
    Form form = product.form();
    int elements = form.fp8() ? FP8 : BF16;
    maps.encode(LEFT, product.left(), form.fp8(), elements, ROWS);
    if (form.rightByColumns()) {
      maps.encode(RIGHT, product.right(), false, BF16, BF16);
    } else {
      maps.encode(RIGHT, product.right(), form.fp8(), elements, ROWS);
    }
    maps.encode(RESULT, product.result(), false, BF16, BF16);
    bytes.putLong(LEFT_SCALE, product.leftScale());
    bytes.putLong(RIGHT_SCALE, product.rightScale());
    bytes.putInt(M, product.m());
    bytes.putInt(N, product.n());
    bytes.putInt(K, product.k());
    bytes.putInt(BAND, PAIRS);
    bytes.putInt(RANGES, product.ranges().size());
    for (int i = 0; i < product.ranges().size(); i++) {
      Range range = product.ranges().get(i);
      bytes.putInt(BEGIN + i * Integer.BYTES, Math.toIntExact(range.begin()));
      bytes.putInt(RANK + i * Integer.BYTES, range.rank());
      bytes.putFloat(SCALE + i * Float.BYTES, (float) range.scale());
      if (range.rank() > 0) {
        int factorRows = form.factorByColumns() ? BF16 : ROWS;
        maps.encode(LOW + i * MAP, range.low(), false, BF16, ROWS);
        maps.encode(FACTOR + i * MAP, range.factor(), false, BF16, factorRows);
      }
    }
  }
}
