package dev.anneal.training.cudnn;

import java.util.Optional;

/** A plan that is made by the first thread that asks for it, while others that do wait. */
final class PromisedPlan implements AutoCloseable {
  /**
   * What has become of it.
   *
   * @param plan none if cuDNN has no engine for it, or fails
   * @param refusal in a sentence, if there is no engine
   * @param fault in a sentence, if an engine, or cuDNN, has failed
   */
  record Made(Optional<Plan> plan, Optional<String> refusal, Optional<String> fault) {
    private static final Made CLOSED =
        new Made(Optional.empty(), Optional.empty(), Optional.empty());
  }

  private final boolean backward;
  private final AttentionShape shape;
  private Made made;

  PromisedPlan(boolean backward, AttentionShape shape) {
    this.backward = backward;
    this.shape = shape;
  }

  /**
   * The plan, made now if it is not yet; none when closed.
   *
   * @param cudnn of the calling thread
   */
  synchronized Made get(Cudnn cudnn) {
    if (made == null) {
      made = make(cudnn);
    }
    return made;
  }

  private Made make(Cudnn cudnn) {
    Graph graph = new Graph((backward ? "backward of " : "forward of ") + shape);
    EngineFailures failures = new EngineFailures();
    try {
      if (backward) {
        AttentionGraphs.backward(graph, shape);
      } else {
        AttentionGraphs.forward(graph, shape);
      }
      Plan plan = Plan.of(graph, cudnn, failures);
      return new Made(
          Optional.of(plan),
          Optional.empty(),
          failures.fault().map(e -> "another engine serves, since " + e.getMessage()));
    } catch (CudnnException e) {
      graph.close();
      return e.isRefusal()
          ? new Made(Optional.empty(), Optional.of(e.getMessage()), Optional.empty())
          : new Made(
              Optional.empty(),
              Optional.empty(),
              Optional.of("FlashAttention takes over, since " + e.getMessage()));
    }
  }

  /** Its kernels must have ended. */
  @Override
  public synchronized void close() {
    if (made != null) {
      made.plan().ifPresent(Plan::close);
    }
    made = Made.CLOSED;
  }
}
