package dev.anneal.training.cudnn;

import java.util.Optional;

/** Why none of cuDNN's engines takes a graph, or why the ones that were asked first do not. */
final class EngineFailures {
  private String refusal = "none is proposed";
  private CudnnException fault;

  /** An engine is passed over. */
  void refused(String why) {
    refusal = why;
  }

  /** An engine has no plan. */
  void failed(CudnnException e) {
    if (e.isRefusal()) {
      refusal = e.getMessage();
    } else if (fault == null) {
      fault = e;
    }
  }

  /** The first failure that is no refusal, if there is any. */
  Optional<CudnnException> fault() {
    return Optional.ofNullable(fault);
  }

  /** What to throw where no engine is left: the fault, since without it one might have served. */
  CudnnException none(String graph) {
    return fault != null
        ? fault
        : CudnnException.refusal("cuDNN has no engine for the %s: %s".formatted(graph, refusal));
  }
}
