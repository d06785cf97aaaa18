package dev.anneal.training.cudnn;

/** The device that a plan is made for: told to each descriptor on the way to the plan. */
interface Target {
  void forGraph(Descriptor graph);

  void forHeuristics(Descriptor heuristics);

  void forPlan(Descriptor plan);
}
