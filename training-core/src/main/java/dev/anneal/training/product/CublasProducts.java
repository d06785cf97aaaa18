package dev.anneal.training.product;

import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.product.ProductPlan.Shape;
import dev.anneal.training.tensor.Address;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Products by cuBLASLt without libtorch in between, which would describe every product anew, and
 * has none that add to fp32 or to the result of another one. What cuBLASLt does not take (addresses
 * or rows that are no multiples of 16 bytes) goes by libtorch.
 */
final class CublasProducts extends ComposedProducts {
  /**
   * Plans that are kept: a step has about 60, and packed micro-batches come in many lengths, of
   * which the last layer takes a part.
   */
  private static final int MOST_PLANS = 2048;

  private final Device device;
  private final PlainProducts plain = new PlainProducts();
  private final ProductPlan.Values values = new ProductPlan.Values();
  private final cublasLtContext handle;

  /** For the one stream that all products are on. */
  private final Tensor workspace;

  private final Pointer workspaceAt;

  private final Map<Shape, ProductPlan> plans = new HashMap<>();

  /** {@code null} is CUDA's default stream. */
  private CUstream_st stream;

  /**
   * In the current tensor scope, for the calling thread's current stream.
   *
   * @throws ProductException if cuBLASLt cannot be used
   */
  CublasProducts(Device device, Order order) {
    super(order);
    this.device = device;
    NativeLibraries.load(cublas.class);
    handle = new cublasLtContext();
    int status = cublas.cublasLtCreate(handle);
    if (status != cublas.CUBLAS_STATUS_SUCCESS) {
      throw new ProductException(
          "cublasLtCreate failed with %s on %s"
              .formatted(cublas.cublasLtGetStatusName(status).getString(), device));
    }
    TensorScope.atClose(this::end);
    workspace = Tensors.empty(device, ScalarType.Byte, WORKSPACE_BYTES);
    workspaceAt = new Address(workspace.data_ptr().address());
    stream = current();
  }

  private CUstream_st current() {
    try (CUDAStream current = torch_cuda.getCurrentCUDAStream((byte) device.cuda())) {
      return current.stream();
    }
  }

  @Override
  public void useCurrentStream() {
    CUstream_st now = current();
    if (address(now) != address(stream)) {
      throw new IllegalStateException(
          "products of one model go to one stream, since they share a workspace");
    }
  }

  /** What all products go to; {@code null} is CUDA's default stream. */
  CUstream_st stream() {
    return stream;
  }

  private static long address(Pointer pointer) {
    return pointer == null ? 0 : pointer.address();
  }

  @Override
  public void multiply(Matrix left, Matrix right, Matrix out, double alpha, double beta) {
    if (isEmpty(out)) {
      return;
    }
    ProductPlan plan = plan(left, right, out, false);
    if (plan == null) {
      plain.multiply(left, right, out, alpha, beta);
      return;
    }
    run(plan, left, right, out, alpha, beta);
  }

  @Override
  public void multiplyScaled(
      Quantized left, Matrix right, Tensor rightScale, Tensor out, double beta) {
    Matrix into = Matrix.of(out);
    if (isEmpty(into)) {
      return;
    }
    Matrix rows = Matrix.of(left.bytes());
    Matrix columns = right.t();
    ProductPlan plan = plan(rows, columns, into, true);
    if (plan == null) {
      plain.multiplyScaled(left, right, rightScale, out, beta);
      return;
    }
    plan.scales(left.scale().data_ptr().address(), rightScale.data_ptr().address());
    run(plan, rows, columns, into, 1, beta);
  }

  private static boolean isEmpty(Matrix out) {
    return out.rows() == 0 || out.columns() == 0;
  }

  /** {@code null} where cuBLASLt does not take the product. */
  private ProductPlan plan(Matrix left, Matrix right, Matrix out, boolean scaled) {
    if (left.columns() != right.rows()
        || left.rows() != out.rows()
        || right.columns() != out.columns()
        || out.layout().transposed()) {
      throw new IllegalArgumentException("no product: %s = %s %s".formatted(out, left, right));
    }
    int bytes = ProductPlan.ALIGNMENT;
    if (!left.isAligned(bytes) || !right.isAligned(bytes) || !out.isAligned(bytes)) {
      return null;
    }
    Shape shape = new Shape(left.layout(), right.layout(), out.layout(), scaled);
    ProductPlan plan = plans.get(shape);
    if (plan == null) {
      if (plans.size() >= MOST_PLANS) {
        forgetPlans();
      }
      plan = new ProductPlan(handle, shape, values, workspaceAt.address());
      plans.put(shape, plan);
    }
    return plan.isUsable() ? plan : null;
  }

  private void run(
      ProductPlan plan, Matrix left, Matrix right, Matrix out, double alpha, double beta) {
    plan.run(
        handle, left.address(), right.address(), out.address(), alpha, beta, workspaceAt, stream);
  }

  private void forgetPlans() {
    plans.values().forEach(ProductPlan::close);
    plans.clear();
  }

  private void end() {
    forgetPlans();
    cublas.cublasLtDestroy(handle);
  }
}
