package dev.anneal.training.product;

import dev.anneal.training.product.Matrix.Layout;
import dev.anneal.training.tensor.Address;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What cuBLASLt is told of the products of one shape, and the algorithm that its heuristic puts
 * first. Which one that is depends on the shape, the chip and cuBLAS's version alone: candidates
 * are not timed against each other, because a run that goes on from a checkpoint, or another rank,
 * would choose otherwise and end in other bits.
 *
 * <p>cuBLASLt sees matrices by columns. Memory of rows is the transpose of what it takes for
 * columns, so {@code out = left right} by rows is {@code out^T = right^T left^T} to it: its A is
 * our right factor and its B our left one, each as it lies or transposed.
 */
final class ProductPlan implements AutoCloseable {
  /** Of factors, results and rows in bytes: what Hopper's copies of tiles ask for. */
  static final int ALIGNMENT = 16;

  /** Of 8 bytes, in {@code cublasLtMatmulAlgo_t}. */
  private static final int ALGORITHM_WORDS = 8;

  private static final int SUCCESS = cublas.CUBLAS_STATUS_SUCCESS;

  /**
   * A shape.
   *
   * @param scaled of FP8, with a scale for each row of the left factor and each column of the right
   */
  record Shape(Layout left, Layout right, Layout out, boolean scaled) {
    private long m() {
      return out.rows();
    }

    private long n() {
      return out.columns();
    }

    private long k() {
      return left.transposed() ? left.rows() : left.columns();
    }

    @Override
    public String toString() {
      return "%s times %s%s into %s".formatted(left, right, scaled ? ", scaled," : "", out);
    }
  }

  /** Values that are handed over by address, used for every call. */
  static final class Values {
    private final ByteBuffer bytes =
        ByteBuffer.allocateDirect(2 * Long.BYTES).order(ByteOrder.nativeOrder());
    private final Pointer first = new Pointer(bytes);
    private final Pointer second = new Address(first.address() + Long.BYTES);

    private Pointer of(int value) {
      bytes.putInt(0, value);
      return first;
    }

    private Pointer of(long value) {
      bytes.putLong(0, value);
      return first;
    }
  }

  private final Shape shape;
  private final Values values;
  private final cublasLtMatmulDescOpaque_t desc = new cublasLtMatmulDescOpaque_t();
  private final cublasLtMatrixLayoutOpaque_t right = new cublasLtMatrixLayoutOpaque_t();
  private final cublasLtMatrixLayoutOpaque_t left = new cublasLtMatrixLayoutOpaque_t();
  private final cublasLtMatrixLayoutOpaque_t out = new cublasLtMatrixLayoutOpaque_t();
  private final cublasLtMatmulAlgo_t algorithm = new cublasLtMatmulAlgo_t();
  private final Address rightAt = new Address();
  private final Address leftAt = new Address();
  private final Address outAt = new Address();
  private final boolean isUsable;

  /**
   * Asks for the algorithm.
   *
   * @param anywhere an address of the device: where scales would be, for the heuristic
   * @throws ProductException if cuBLASLt refuses the shape otherwise than by having no algorithm
   */
  ProductPlan(cublasLtContext handle, Shape shape, Values values, long anywhere) {
    this.shape = shape;
    this.values = values;
    // they outlive the scope that they are made in: close() lets go of them
    for (Pointer each : owned()) {
      each.retainReference();
    }
    check(
        cublas.cublasLtMatmulDescInit(desc, cublas.CUBLAS_COMPUTE_32F, cudart.CUDA_R_32F),
        "cublasLtMatmulDescInit");
    describe(cublas.CUBLASLT_MATMUL_DESC_TRANSA, operation(shape.right()));
    describe(cublas.CUBLASLT_MATMUL_DESC_TRANSB, operation(shape.left()));
    if (shape.scaled()) {
      int byRow = cublas.CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
      describe(cublas.CUBLASLT_MATMUL_DESC_A_SCALE_MODE, byRow);
      describe(cublas.CUBLASLT_MATMUL_DESC_B_SCALE_MODE, byRow);
      // one byte, the lowest of the int's
      check(
          cublas.cublasLtMatmulDescSetAttribute(
              desc, cublas.CUBLASLT_MATMUL_DESC_FAST_ACCUM, values.of(1), 1),
          "cublasLtMatmulDescSetAttribute");
      scales(anywhere, anywhere);
    }
    layOut(right, shape.right());
    layOut(left, shape.left());
    layOut(out, shape.out());
    isUsable = choose(handle);
  }

  private static int operation(Layout factor) {
    // memory of rows is a transpose to cuBLASLt already
    return factor.transposed() ? cublas.CUBLAS_OP_T : cublas.CUBLAS_OP_N;
  }

  private void describe(int attribute, int value) {
    check(
        cublas.cublasLtMatmulDescSetAttribute(desc, attribute, values.of(value), Integer.BYTES),
        "cublasLtMatmulDescSetAttribute");
  }

  private void layOut(cublasLtMatrixLayoutOpaque_t layout, Layout memory) {
    check(
        cublas.cublasLtMatrixLayoutInit(
            layout, cudaType(memory.type()), memory.columns(), memory.rows(), memory.stride()),
        "cublasLtMatrixLayoutInit");
  }

  private static int cudaType(byte type) {
    if (type == ScalarType.BFloat16.value) {
      return cudart.CUDA_R_16BF;
    }
    if (type == ScalarType.Float8_e4m3fn.value) {
      return cudart.CUDA_R_8F_E4M3;
    }
    if (type == ScalarType.Float.value) {
      return cudart.CUDA_R_32F;
    }
    throw new IllegalArgumentException("no products of libtorch's dtype number " + type);
  }

  /** Whether there is an algorithm. */
  private boolean choose(cublasLtContext handle) {
    int[] found = new int[1];
    try (cublasLtMatmulPreferenceOpaque_t preference = new cublasLtMatmulPreferenceOpaque_t();
        cublasLtMatmulHeuristicResult_t result = new cublasLtMatmulHeuristicResult_t()) {
      check(cublas.cublasLtMatmulPreferenceInit(preference), "cublasLtMatmulPreferenceInit");
      prefer(
          preference,
          cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
          values.of(Products.WORKSPACE_BYTES),
          Long.BYTES);
      // sums of parts of K wait in the workspace in fp32, and are added up in one order
      prefer(
          preference,
          cublas.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
          values.of(cublas.CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE),
          Integer.BYTES);
      // the same for all addresses, so that where a matrix lies changes no bit
      for (int operand :
          new int[] {
            cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
            cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
            cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
            cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
          }) {
        prefer(preference, operand, values.of(ALIGNMENT), Integer.BYTES);
      }
      int status =
          cublas.cublasLtMatmulAlgoGetHeuristic(
              handle, desc, right, left, out, out, preference, 1, result, found);
      if (status == cublas.CUBLAS_STATUS_NOT_SUPPORTED) {
        return false;
      }
      check(status, "cublasLtMatmulAlgoGetHeuristic");
      if (found[0] == 0 || result.state() != SUCCESS) {
        return false;
      }
      for (int i = 0; i < ALGORITHM_WORDS; i++) {
        algorithm.data(i, result.algo().data(i));
      }
      return true;
    }
  }

  private void prefer(
      cublasLtMatmulPreferenceOpaque_t preference, int attribute, Pointer value, long bytes) {
    check(
        cublas.cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, bytes),
        "cublasLtMatmulPreferenceSetAttribute");
  }

  /** Whether cuBLASLt has an algorithm for the shape. */
  boolean isUsable() {
    return isUsable;
  }

  /** What the next {@link #run} multiplies rows of the left and columns of the right with. */
  void scales(long leftScale, long rightScale) {
    scale(cublas.CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, rightScale);
    scale(cublas.CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, leftScale);
  }

  private void scale(int attribute, long address) {
    check(
        cublas.cublasLtMatmulDescSetAttribute(desc, attribute, values.of(address), Long.BYTES),
        "cublasLtMatmulDescSetAttribute");
  }

  /** {@code out = alpha * left right + beta * out}, enqueued on {@code stream}. */
  void run(
      cublasLtContext handle,
      long leftAddress,
      long rightAddress,
      long outAddress,
      double alpha,
      double beta,
      Pointer workspace,
      CUstream_st stream) {
    values.bytes.putFloat(0, (float) alpha);
    values.bytes.putFloat(Long.BYTES, (float) beta);
    outAt.to(outAddress);
    int status =
        cublas.cublasLtMatmul(
            handle,
            desc,
            values.first,
            rightAt.to(rightAddress),
            right,
            leftAt.to(leftAddress),
            left,
            values.second,
            outAt,
            out,
            outAt,
            out,
            algorithm,
            workspace,
            Products.WORKSPACE_BYTES,
            stream);
    if (status != SUCCESS) {
      check(status, "cublasLtMatmul");
    }
  }

  private void check(int status, String call) {
    if (status != SUCCESS) {
      throw new ProductException(
          "%s failed with %s for the product [%s, %s] with K = %s of %s: set -D%s=libtorch to multiply without it"
              .formatted(
                  call,
                  cublas.cublasLtGetStatusName(status).getString(),
                  shape.m(),
                  shape.n(),
                  shape.k(),
                  shape,
                  Products.PROPERTY));
    }
  }

  private Pointer[] owned() {
    return new Pointer[] {desc, right, left, out, algorithm};
  }

  /** cuBLASLt has copied all that calls under way need. */
  @Override
  public void close() {
    for (Pointer each : owned()) {
      each.releaseReference();
    }
  }
}
