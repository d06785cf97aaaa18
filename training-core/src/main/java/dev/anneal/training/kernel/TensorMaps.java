package dev.anneal.training.kernel;

import dev.anneal.training.kernel.LowRankProduct.Memory;
import dev.anneal.training.tensor.Address;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.cuda.cudart.CUtensorMap;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Tells Hopper's copy engine of matrices, by the driver, in blocks with rows of 128 bytes that are
 * swizzled as its tensor cores read them. Nothing native is made for a matrix: a step has thousands
 * of them.
 */
final class TensorMaps implements ProductStruct.Maps {
  private static final int DIMENSIONS = 2;
  private static final int STRIDE = DIMENSIONS * Long.BYTES;
  private static final int BLOCK = STRIDE + Long.BYTES;
  private static final int STEPS = BLOCK + DIMENSIONS * Integer.BYTES;

  /** The place of a map, which is set again for every one. */
  private static final class Target extends CUtensorMap {
    Target() {
      super((Pointer) null);
    }

    Target to(long address) {
      this.address = address;
      return this;
    }
  }

  private final long base;
  private final Target map = new Target();
  private final Address memoryAt = new Address();

  /** Sizes and strides of the matrix that is told of. */
  private final ByteBuffer shape =
      ByteBuffer.allocateDirect(STEPS + DIMENSIONS * Integer.BYTES).order(ByteOrder.nativeOrder());

  private final LongPointer sizes;
  private final LongPointer stride;
  private final IntPointer block;
  private final IntPointer steps;

  /**
   * Into a struct.
   *
   * @param base its address
   */
  TensorMaps(long base) {
    this.base = base;
    long at = new Pointer(shape).address();
    sizes = new LongPointer(new Address().to(at));
    stride = new LongPointer(new Address().to(at + STRIDE));
    block = new IntPointer(new Address().to(at + BLOCK));
    steps = new IntPointer(new Address().to(at + STEPS));
    shape.putInt(STEPS, 1);
    shape.putInt(STEPS + Integer.BYTES, 1);
  }

  @Override
  public void encode(int at, Memory memory, boolean fp8, int columns, int rows) {
    shape.putLong(0, memory.columns());
    shape.putLong(Long.BYTES, memory.rows());
    shape.putLong(STRIDE, memory.stride() * (fp8 ? 1 : 2));
    shape.putInt(BLOCK, columns);
    shape.putInt(BLOCK + Integer.BYTES, rows);
    int error =
        cudart.cuTensorMapEncodeTiled(
            map.to(base + at),
            fp8 ? cudart.CU_TENSOR_MAP_DATA_TYPE_UINT8 : cudart.CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
            DIMENSIONS,
            memoryAt.to(memory.address()),
            sizes,
            stride,
            block,
            steps,
            cudart.CU_TENSOR_MAP_INTERLEAVE_NONE,
            cudart.CU_TENSOR_MAP_SWIZZLE_128B,
            cudart.CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
            cudart.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (error != 0) {
      throw new KernelException(
          "the driver takes no map of %s in blocks of [%s, %s] (error %s)"
              .formatted(memory, rows, columns, error));
    }
  }
}
