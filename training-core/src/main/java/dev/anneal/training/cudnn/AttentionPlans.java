package dev.anneal.training.cudnn;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;

/**
 * Plans of attention for the current GPU, each made at the first use of its shape (about a second:
 * kernels are compiled) and kept. For one thread at a time, on one stream.
 */
public final class AttentionPlans implements AutoCloseable {
  /**
   * Shapes are bucketed ({@link Buckets}), so that a run has few; those used last stay. An epoch of
   * Alpaca packed asks for about 50, and of rows from 16 to 4,096 tokens for about 100.
   */
  public static final int MOST = 128;

  private static final float LOAD_FACTOR = 0.75f;

  private final Consumer<String> refusals;
  private final Consumer<String> faults;
  private final Cudnn cudnn;
  private final Map<Key, Optional<Plan>> plans = new LinkedHashMap<>(MOST, LOAD_FACTOR, true);

  /** {@code null} is the default stream. */
  private CUstream_st lastStream;

  private record Key(boolean backward, AttentionShape shape) {}

  /**
   * With no plans yet.
   *
   * @param refusals told in a sentence of each shape that cuDNN has no engine for
   * @param faults told in a sentence of each shape for which an engine, or cuDNN, has failed
   * @throws CudnnException if cuDNN cannot be loaded or does not take the GPU
   */
  public AttentionPlans(Consumer<String> refusals, Consumer<String> faults) {
    this.refusals = refusals;
    this.faults = faults;
    cudnn = new Cudnn();
  }

  /** The plan of a forward; none if cuDNN has no engine for it, or fails. */
  public Optional<Plan> forward(AttentionShape shape) {
    return plan(new Key(false, shape));
  }

  /** The plan of a backward; none if cuDNN has no engine for it, or fails. */
  public Optional<Plan> backward(AttentionShape shape) {
    return plan(new Key(true, shape));
  }

  private Optional<Plan> plan(Key key) {
    Optional<Plan> plan = plans.get(key);
    if (plan == null) {
      plan = make(key);
      plans.put(key, plan);
      forgetEldest();
    }
    return plan;
  }

  private Optional<Plan> make(Key key) {
    AttentionShape shape = key.shape();
    Graph graph = new Graph((key.backward() ? "backward of " : "forward of ") + shape);
    EngineFailures failures = new EngineFailures();
    try {
      if (key.backward()) {
        AttentionGraphs.backward(graph, shape);
      } else {
        AttentionGraphs.forward(graph, shape);
      }
      Plan plan = Plan.of(graph, cudnn, failures);
      failures
          .fault()
          .ifPresent(e -> faults.accept("another engine serves, since " + e.getMessage()));
      return Optional.of(plan);
    } catch (CudnnException e) {
      graph.close();
      if (e.isRefusal()) {
        refusals.accept(e.getMessage());
      } else {
        faults.accept("FlashAttention takes over, since " + e.getMessage());
      }
      return Optional.empty();
    }
  }

  private void forgetEldest() {
    if (plans.size() <= MOST) {
      return;
    }
    Iterator<Optional<Plan>> eldest = plans.values().iterator();
    Optional<Plan> plan = eldest.next();
    eldest.remove();
    // its kernels may still run; other streams, which may wait for peers, are none of its business
    cudart.cudaStreamSynchronize(lastStream);
    plan.ifPresent(Plan::close);
  }

  /** How many there are. */
  public int count() {
    return plans.size();
  }

  /**
   * Starts a plan on {@code stream}.
   *
   * @param addresses of its operands
   * @param workspace address of {@link Plan#workspaceBytes}
   * @throws CudnnException if it cannot be started
   */
  public void execute(
      Plan plan, CUstream_st stream, Map<AttentionOperand, Long> addresses, long workspace) {
    lastStream = stream;
    cudnn.execute(plan, stream, addresses, workspace);
  }

  /** What was started must have ended. */
  @Override
  public void close() {
    plans.values().forEach(plan -> plan.ifPresent(Plan::close));
    plans.clear();
    cudnn.close();
  }
}
