package dev.anneal.training.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_MATMUL_COMP_TYPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATIONGRAPH_OPS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_ADESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_BDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_CDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_BDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_TDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_XDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_YDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_REDUCTION_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_REDUCTION_XDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_REDUCTION_YDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_RESHAPE_XDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_RESHAPE_YDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_POINTWISE_AXIS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_POINTWISE_MATH_PREC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_POINTWISE_MODE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_REDUCTION_COMP_TYPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_REDUCTION_OPERATOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_DATA_TYPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_DIMENSIONS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_IS_BY_VALUE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_IS_VIRTUAL;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_STRIDES;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_UNIQUE_ID;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_MATMUL_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_POINTWISE_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_REDUCTION_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_TENSOR_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BFLOAT16;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BOOLEAN;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_FLOAT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_INT32;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_GEN_INDEX;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_DATA_TYPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_POINTWISE_MODE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_REDUCTION_OPERATOR_TYPE;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Operations on tensors, one after the other. What they compute on the way is never in memory; it
 * is fp32 unless said otherwise.
 */
final class Graph implements AutoCloseable {
  private static final long ALIGNMENT = 16;
  private static final long[] ONE = {1, 1, 1, 1};

  /** Types of elements. */
  enum Type {
    BF16(CUDNN_DATA_BFLOAT16),
    FP32(CUDNN_DATA_FLOAT),
    INT32(CUDNN_DATA_INT32),
    BOOLEAN(CUDNN_DATA_BOOLEAN);

    private final int code;

    Type(int code) {
      this.code = code;
    }
  }

  private final String name;
  private final List<Descriptor> all = new ArrayList<>();
  private final List<Descriptor> operations = new ArrayList<>();
  private final Set<AttentionOperand> operands = EnumSet.noneOf(AttentionOperand.class);
  private final Map<Long, Float> constants = new LinkedHashMap<>();
  private long lastUid = AttentionOperand.LAST_UID;

  /**
   * An empty one.
   *
   * @param name in errors
   */
  Graph(String name) {
    this.name = name;
  }

  /** In the device's memory. */
  GraphTensor operand(AttentionOperand operand, Type type, long[] dims, long[] strides) {
    operands.add(operand);
    return new GraphTensor(own(tensor(operand.uid(), type, dims, strides).finish()), dims, strides);
  }

  /** Likewise, each row where {@code starts} says. */
  GraphTensor operand(
      AttentionOperand operand, Type type, long[] dims, long[] strides, GraphTensor starts) {
    operands.add(operand);
    Descriptor tensor = tensor(operand.uid(), type, dims, strides);
    tensor.link(CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, starts.descriptor());
    return new GraphTensor(own(tensor.finish()), dims, strides);
  }

  /** A number. */
  GraphTensor constant(float value) {
    long uid = ++lastUid;
    constants.put(uid, value);
    Descriptor tensor = tensor(uid, Type.FP32, ONE, ONE);
    tensor.truth(CUDNN_ATTR_TENSOR_IS_BY_VALUE, true);
    return new GraphTensor(own(tensor.finish()), ONE, ONE);
  }

  /** On the way. */
  GraphTensor virtual(Type type, long[] dims, long[] strides) {
    Descriptor tensor = tensor(++lastUid, type, dims, strides);
    tensor.truth(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
    return new GraphTensor(own(tensor.finish()), dims, strides);
  }

  /** On the way, where rows of an operand are looked at in another order of dimensions. */
  GraphTensor virtual(Type type, long[] dims, long[] strides, GraphTensor starts) {
    Descriptor tensor = tensor(++lastUid, type, dims, strides);
    tensor.truth(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
    tensor.link(CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, starts.descriptor());
    return new GraphTensor(own(tensor.finish()), dims, strides);
  }

  private Descriptor tensor(long uid, Type type, long[] dims, long[] strides) {
    return new Descriptor(
            CUDNN_BACKEND_TENSOR_DESCRIPTOR, "tensor %s of the %s".formatted(uid, name))
        .longs(CUDNN_ATTR_TENSOR_UNIQUE_ID, uid)
        .code(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type.code)
        .longs(CUDNN_ATTR_TENSOR_DIMENSIONS, dims)
        .longs(CUDNN_ATTR_TENSOR_STRIDES, strides)
        .longs(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, ALIGNMENT);
  }

  /** {@code y = mode(x, b)}, where {@code b} may be {@code null}. */
  GraphTensor pointwise(int mode, GraphTensor x, GraphTensor b, GraphTensor y) {
    return pointwise(mode, Type.FP32, -1, x, b, null, y);
  }

  /** Likewise, the result on the way in the form of {@code x}. */
  GraphTensor pointwise(int mode, GraphTensor x, GraphTensor b) {
    return pointwise(mode, x, b, virtual(Type.FP32, x.dims(), x.strides()));
  }

  /** A truth for each element, computed as truths. */
  GraphTensor truths(int mode, GraphTensor x, GraphTensor b) {
    GraphTensor y = virtual(Type.BOOLEAN, x.dims(), x.strides());
    return pointwise(mode, Type.BOOLEAN, -1, x, b, null, y);
  }

  /** Where each element is along {@code axis}, int32, computed in {@code math}. */
  GraphTensor index(int axis, Type math, GraphTensor x) {
    GraphTensor y = virtual(Type.INT32, x.dims(), x.strides());
    return pointwise(CUDNN_POINTWISE_GEN_INDEX, math, axis, x, null, null, y);
  }

  /** {@code x} where {@code where} is true, else {@code otherwise}. */
  GraphTensor select(int mode, GraphTensor x, GraphTensor otherwise, GraphTensor where) {
    GraphTensor y = virtual(Type.FP32, x.dims(), x.strides());
    return pointwise(mode, Type.FP32, -1, x, otherwise, where, y);
  }

  private GraphTensor pointwise(
      int mode, Type math, int axis, GraphTensor x, GraphTensor b, GraphTensor t, GraphTensor y) {
    Descriptor kind = own(new Descriptor(CUDNN_BACKEND_POINTWISE_DESCRIPTOR, name));
    kind.code(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode)
        .code(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, math.code);
    if (axis >= 0) {
      kind.longs(CUDNN_ATTR_POINTWISE_AXIS, axis);
    }
    Descriptor operation =
        operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "pointwise operation " + mode)
            .link(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind.finish())
            .link(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x.descriptor())
            .link(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y.descriptor());
    if (b != null) {
      operation.link(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b.descriptor());
    }
    if (t != null) {
      operation.link(CUDNN_ATTR_OPERATION_POINTWISE_TDESC, t.descriptor());
    }
    operation.finish();
    return y;
  }

  /**
   * How far a product goes in each row.
   *
   * @param m rows of its result; {@code null}: all; {@code n}, its columns, and {@code k}, what is
   *     summed over, likewise
   */
  record Extent(GraphTensor m, GraphTensor n, GraphTensor k) {}

  /** {@code y = a b}. */
  GraphTensor matmul(GraphTensor a, GraphTensor b, GraphTensor y, Extent extent) {
    Descriptor kind = own(new Descriptor(CUDNN_BACKEND_MATMUL_DESCRIPTOR, name));
    kind.code(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, Type.FP32.code).finish();
    Descriptor operation =
        operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR, "product")
            .link(CUDNN_ATTR_OPERATION_MATMUL_DESC, kind)
            .link(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a.descriptor())
            .link(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b.descriptor())
            .link(CUDNN_ATTR_OPERATION_MATMUL_CDESC, y.descriptor());
    limit(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC, extent.m());
    limit(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC, extent.n());
    limit(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC, extent.k());
    operation.finish();
    return y;
  }

  private static void limit(Descriptor operation, int attribute, GraphTensor lengths) {
    if (lengths != null) {
      operation.link(attribute, lengths.descriptor());
    }
  }

  /** {@code y = mode(x)} over the dimensions that {@code y} has one of. */
  GraphTensor reduce(int mode, GraphTensor x, GraphTensor y) {
    Descriptor kind = own(new Descriptor(CUDNN_BACKEND_REDUCTION_DESCRIPTOR, name));
    kind.code(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, mode)
        .code(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, Type.FP32.code)
        .finish();
    operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR, "reduction " + mode)
        .link(CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind)
        .link(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x.descriptor())
        .link(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y.descriptor())
        .finish();
    return y;
  }

  /** {@code x} in the form of {@code y}. */
  GraphTensor reshape(GraphTensor x, GraphTensor y) {
    operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR, "change of form")
        .link(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x.descriptor())
        .link(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y.descriptor())
        .finish();
    return y;
  }

  private Descriptor operation(int type, String what) {
    Descriptor operation = own(new Descriptor(type, "a %s of the %s".formatted(what, name)));
    operations.add(operation);
    return operation;
  }

  /** All operations together, to be finished by the caller and closed with this. */
  Descriptor whole() {
    return own(new Descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "the graph of the " + name))
        .link(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations);
  }

  /** What is in the device's memory. */
  Set<AttentionOperand> operands() {
    return operands;
  }

  /** Numbers by the tensors that stand for them. */
  Map<Long, Float> constants() {
    return constants;
  }

  String name() {
    return name;
  }

  private Descriptor own(Descriptor descriptor) {
    all.add(descriptor);
    return descriptor;
  }

  @Override
  public void close() {
    all.forEach(Descriptor::close);
  }
}
