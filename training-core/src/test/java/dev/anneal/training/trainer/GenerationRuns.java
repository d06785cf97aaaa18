package dev.anneal.training.trainer;

import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.PromptQueue;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.model.config.ModelSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** {@link GenerationRun} on prompts that are all there. */
final class GenerationRuns {
  private GenerationRuns() {}

  /**
   * What a rank reads.
   *
   * @param adapter in PEFT's form, or {@code null}
   * @param prompts the same on every rank
   * @param stopStrings asked on rank 0
   */
  record Inputs(
      ModelSource model, ModelFolder adapter, List<Prompt> prompts, StopStrings stopStrings) {}

  /** Goes on from all prompts, in their order. */
  static List<Completion> run(
      GenerationRun.Spec spec,
      Inputs inputs,
      Ranks ranks,
      PhaseListener phases,
      GenerationListener listener) {
    Queue queue = new Queue(inputs.prompts(), spec.batchSize());
    GenerationRun.serve(
        spec,
        new GenerationRun.Service(inputs.model(), inputs.adapter(), queue, inputs.stopStrings()),
        ranks,
        phases,
        listener);
    return queue.completions;
  }

  private static final class Queue implements PromptQueue {
    private final List<Completion> completions = new ArrayList<>();
    private final List<Prompt> prompts;
    private final int batchSize;
    private int first;

    Queue(List<Prompt> prompts, int batchSize) {
      this.prompts = prompts;
      this.batchSize = batchSize;
    }

    @Override
    public Optional<List<Prompt>> next() {
      if (first >= prompts.size()) {
        return Optional.empty();
      }
      int end = Math.min(first + batchSize, prompts.size());
      List<Prompt> together = prompts.subList(first, end);
      first = end;
      return Optional.of(together);
    }

    @Override
    public void done(List<Completion> made) {
      completions.addAll(made);
    }
  }
}
