package dev.anneal.training.cudnn;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;

/**
 * Plans of attention for the current GPU, each made when its shape is first asked for, or before
 * that by a thread of its own where it is said to be needed soon, and kept. Most take 50 ms to be
 * made, and where cuDNN compiles a kernel 700: for the first forward and for backwards of another
 * length. For one thread at a time, on one stream.
 */
public final class AttentionPlans implements AutoCloseable {
  /**
   * Shapes are bucketed ({@link Buckets}), so that a run has few; those used or expected last stay.
   * An epoch of Alpaca packed asks for about 50, and of rows from 16 to 4,096 tokens for about 100.
   */
  public static final int MOST = 128;

  private static final float LOAD_FACTOR = 0.75f;

  private final Consumer<String> refusals;
  private final Consumer<String> faults;
  private final Cudnn cudnn;
  private final PlansAhead ahead;
  private final Map<Key, PromisedPlan> plans = new LinkedHashMap<>(MOST, LOAD_FACTOR, true);

  /** {@code null} is the default stream. */
  private CUstream_st lastStream;

  private record Key(boolean backward, AttentionShape shape) {}

  /**
   * With no plans yet.
   *
   * @param refusals told in a sentence, again and again, of each shape that cuDNN has no engine for
   * @param faults told likewise of each shape for which an engine, or cuDNN, has failed
   * @throws CudnnException if cuDNN cannot be loaded or does not take the GPU
   */
  public AttentionPlans(Consumer<String> refusals, Consumer<String> faults) {
    this.refusals = refusals;
    this.faults = faults;
    cudnn = new Cudnn();
    ahead = new PlansAhead();
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
    PromisedPlan.Made made = promised(key).get(cudnn);
    forgetEldest();
    made.refusal().ifPresent(refusals);
    made.fault().ifPresent(faults);
    return made.plan();
  }

  /** Has the plan of a forward made, while the caller goes on. */
  public void expectForward(AttentionShape shape) {
    promised(new Key(false, shape));
  }

  /** Has the plan of a backward made, while the caller goes on. */
  public void expectBackward(AttentionShape shape) {
    promised(new Key(true, shape));
  }

  private PromisedPlan promised(Key key) {
    PromisedPlan plan = plans.get(key);
    if (plan == null) {
      plan = new PromisedPlan(key.backward(), key.shape());
      plans.put(key, plan);
      ahead.make(plan);
    }
    return plan;
  }

  private void forgetEldest() {
    while (plans.size() > MOST) {
      Iterator<PromisedPlan> eldest = plans.values().iterator();
      PromisedPlan plan = eldest.next();
      eldest.remove();
      // its kernels may still run; other streams, which may wait for peers, are none of its
      // business
      cudart.cudaStreamSynchronize(lastStream);
      plan.close();
    }
  }

  /** How many there are, made or expected. */
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
    ahead.stop();
    plans.values().forEach(PromisedPlan::close);
    plans.clear();
    ahead.close();
    cudnn.close();
  }
}
