package dev.anneal.training.optim;

import java.util.ArrayList;
import java.util.List;

/**
 * A stretch of a rank's vector that AdamW moves with the same numbers.
 *
 * @param offset of its first element in the rank's vector
 * @param learningRateFactor by which the step's learning rate is multiplied
 */
record ParameterGroup(long offset, long numel, double learningRateFactor, double weightDecay) {

  /**
   * The stretches of this rank's parts of {@code parameters}, in their order: one where all are the
   * same. What pads a bucket's end may be left out.
   */
  static List<ParameterGroup> of(AdamWSpec spec, Parameters parameters) {
    List<ParameterGroup> groups = new ArrayList<>();
    ParameterLayout layout = parameters.layout();
    BucketParts parts = layout.parts();
    long first = 0;
    for (int bucket = 0; bucket < layout.buckets().size(); bucket++) {
      // of the bucket, this rank has these
      long begin = parameters.rank() * parts.part(bucket);
      long end = begin + parts.part(bucket);
      long at = 0;
      for (Parameters.Shape shape : layout.buckets().get(bucket)) {
        long from = Math.max(begin, at);
        long to = Math.min(end, at + shape.numel());
        if (from < to) {
          add(
              groups,
              new ParameterGroup(
                  first + from - begin,
                  to - from,
                  spec.learningRateFactor(shape),
                  spec.weightDecay(shape)));
        }
        at += shape.numel();
      }
      first += parts.part(bucket);
    }
    boolean same = groups.stream().allMatch(group -> group.hasNumbersOf(groups.get(0)));
    return same
        ? List.of(
            new ParameterGroup(
                0,
                first,
                groups.isEmpty() ? 1 : groups.get(0).learningRateFactor(),
                groups.isEmpty() ? spec.weightDecay() : groups.get(0).weightDecay()))
        : groups;
  }

  private static void add(List<ParameterGroup> groups, ParameterGroup next) {
    ParameterGroup last = groups.isEmpty() ? null : groups.get(groups.size() - 1);
    if (last != null && last.hasNumbersOf(next) && last.offset() + last.numel() == next.offset()) {
      groups.set(
          groups.size() - 1,
          new ParameterGroup(
              last.offset(),
              last.numel() + next.numel(),
              last.learningRateFactor(),
              last.weightDecay()));
    } else {
      groups.add(next);
    }
  }

  private boolean hasNumbersOf(ParameterGroup other) {
    return learningRateFactor == other.learningRateFactor && weightDecay == other.weightDecay;
  }
}
