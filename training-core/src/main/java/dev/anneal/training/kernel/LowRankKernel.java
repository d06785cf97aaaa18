package dev.anneal.training.kernel;

import dev.anneal.training.kernel.LowRankProduct.Form;
import dev.anneal.training.tensor.Device;
import java.util.List;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * Products with frozen weights that add their adapters' before they round, by Hopper's tensor cores
 * (the source is {@code low_rank_product.cu}). The same input gives the same bits, those of a row
 * whatever other rows there are. For one thread.
 */
public final class LowRankKernel implements AutoCloseable {
  /** Ranges of columns that may have something of their own to add. */
  public static final int MODULES = 3;

  /** Of a tile: what ranges begin at multiples of. */
  public static final int COLUMNS = 256;

  /** Of addresses and of rows in bytes. */
  public static final int ALIGNMENT = 16;

  static final String FUNCTION = "low_rank_product";

  /** The chip whose tensor cores the kernel speaks to: others have other instructions. */
  private static final int CAPABILITY = 90;

  /** Of the two tiles that a pair of blocks computes at a time. */
  private static final int PAIR_ROWS = 256;

  private static final int THREADS = 384;

  private static final int TILE_ROWS = 128;
  private static final int ROW_BYTES = 128;
  private static final int STAGES = 4;
  private static final int GROUPS = 2;

  /** 64 rows of 64 columns in bf16. */
  private static final int CHUNK_BYTES = 64 * ROW_BYTES;

  /** Stages of both factors, of each group two chunks and its scales, barriers of the stages. */
  static final int SHARED_BYTES =
      STAGES * (TILE_ROWS + COLUMNS) * ROW_BYTES
          + GROUPS * (2 * CHUNK_BYTES + COLUMNS * Float.BYTES)
          + 2 * STAGES * Long.BYTES;

  private final KernelLauncher gpu;
  private final int multiprocessors;
  private final ProductStruct struct = new ProductStruct();
  private final TensorMaps maps;

  /** The one argument. */
  private final PointerPointer<Pointer> arguments = new PointerPointer<>(1);

  /**
   * For {@code device}, which must be the current one of the thread.
   *
   * @throws KernelException if the GPU cannot be used
   */
  public LowRankKernel(Device device) {
    gpu = new KernelLauncher(device);
    multiprocessors = KernelLauncher.attribute(device, cudart.cudaDevAttrMultiProcessorCount);
    Pointer at = new Pointer(struct.bytes());
    maps = new TensorMaps(at.address());
    arguments.retainReference();
    arguments.put(0, at);
  }

  /** Whether there is such a kernel for {@code device}. */
  public static boolean runsOn(Device device) {
    return device.isGpu() && KernelLauncher.capability(device) == CAPABILITY;
  }

  /** Computes {@code product} on {@code stream}, of which {@code null} is CUDA's default one. */
  public void run(LowRankProduct product, CUstream_st stream) {
    struct.set(product, maps);
    int blocks = blocks(product.m(), product.n(), multiprocessors);
    KernelVariant variant = variant(product.form());
    gpu.launch(variant, blocks, THREADS, SHARED_BYTES, arguments, stream);
  }

  /** As many as run at once, in pairs, and no more than there are tiles. */
  static int blocks(long m, long n, int multiprocessors) {
    long tiles = (m + PAIR_ROWS - 1) / PAIR_ROWS * ((n + COLUMNS - 1) / COLUMNS);
    return Math.toIntExact(2 * Math.min(multiprocessors / 2, tiles));
  }

  static KernelVariant variant(Form form) {
    return new KernelVariant(
        FUNCTION,
        List.of(
            "FP8",
            flag(form.fp8()),
            "RIGHT_BY_COLUMNS",
            flag(form.rightByColumns()),
            "FACTOR_BY_COLUMNS",
            flag(form.factorByColumns())));
  }

  private static int flag(boolean on) {
    return on ? 1 : 0;
  }

  /** Unloads the kernel; products under way must have ended. */
  @Override
  public void close() {
    arguments.releaseReference();
    gpu.close();
  }
}
