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
  record Outcome(Optional<Plan> plan, Optional<String> refusal, Optional<String> fault) {
    private static final Outcome CLOSED =
        new Outcome(Optional.empty(), Optional.empty(), Optional.empty());
  }

  private final boolean backward;
  private final AttentionShape shape;
  private Outcome outcome;

  PromisedPlan(boolean backward, AttentionShape shape) {
    this.backward = backward;
    this.shape = shape;
  }

  /**
   * The plan, made now if it is not yet; none when closed.
   *
   * @param cudnn of the calling thread
   */
  synchronized Outcome get(Cudnn cudnn) {
    if (outcome == null) {
      outcome = make(cudnn);
    }
    return outcome;
  }

  private Outcome make(Cudnn cudnn) {
    Graph graph = new Graph((backward ? "backward of " : "forward of ") + shape);
    EngineFailures failures = new EngineFailures();
    try {
      if (backward) {
        AttentionGraphs.backward(graph, shape);
      } else {
        AttentionGraphs.forward(graph, shape);
      }
      Plan plan = Plan.of(graph, cudnn, failures);
      return new Outcome(
          Optional.of(plan),
          Optional.empty(),
          failures.fault().map(e -> "another engine serves, since " + e.getMessage()));
    } catch (CudnnException e) {
      graph.close();
      return e.isRefusal()
          ? new Outcome(Optional.empty(), Optional.of(e.getMessage()), Optional.empty())
          : new Outcome(
              Optional.empty(),
              Optional.empty(),
              Optional.of("FlashAttention takes over, since " + e.getMessage()));
    }
  }

  /** Its kernels must have ended. */
  @Override
  public synchronized void close() {
    if (outcome != null) {
      outcome.plan().ifPresent(Plan::close);
    }
    outcome = Outcome.CLOSED;
  }
}
