package dev.anneal.training.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_EXECUTION_PLAN_HANDLE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATIONGRAPH_HANDLE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_HANDLE;

import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.NativeLibraries;
import java.util.Map;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.cuda.global.cudnn;

/** cuDNN on the current GPU, for one thread at a time. */
final class Cudnn implements AutoCloseable {
  /**
   * The first version that attention is right with; 9.14 takes the same graphs and computes others.
   */
  private static final long LEAST_VERSION = 91900;

  private final cudnnContext handle = new cudnnContext();

  /**
   * Loads the library of the node.
   *
   * @throws CudnnException if it cannot be loaded or does not take the GPU
   */
  Cudnn() {
    load();
    require(cudnn.cudnnGetVersion());
    Descriptor.check(cudnn.cudnnCreate(handle), "begin on this GPU");
  }

  /** Refuses a version, 10000 * major + 100 * minor + patch, that computes something else. */
  static void require(long version) {
    if (version < LEAST_VERSION) {
      throw new CudnnException(
          "cuDNN %s.%s.%s is here and 9.19 is needed: put a newer one first in LD_LIBRARY_PATH"
              .formatted(version / 10000, version / 100 % 100, version % 100));
    }
  }

  static void load() {
    try {
      NativeLibraries.load(cudnn.class);
    } catch (LinkageError e) {
      throw new CudnnException("cuDNN cannot be loaded: " + NativeErrors.firstLine(e), e);
    }
  }

  /** Says to an operation graph which device it is for. */
  void forGraph(Descriptor graph) {
    graph.addresses(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle.address());
  }

  /** Says it to a plan. */
  void forPlan(Descriptor plan) {
    plan.addresses(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle.address());
  }

  void execute(
      Plan plan, CUstream_st stream, Map<AttentionOperand, Long> addresses, long workspace) {
    Descriptor.check(cudnn.cudnnSetStream(handle, stream), "take the stream");
    plan.execute(handle, addresses, workspace);
  }

  @Override
  public void close() {
    if (!handle.isNull()) {
      cudnn.cudnnDestroy(handle);
      handle.setNull();
    }
  }
}
