package dev.anneal.spark.checkpoint;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.stream.Collectors;

/**
 * Which checkpoints of a folder a run can go on from, as far as their manifests and the sizes of
 * their files tell.
 *
 * @param usable newest first
 * @param leftOut a sentence for each that is there and cannot be used
 */
public record CheckpointSearch(List<StoredCheckpoint> usable, List<String> leftOut) {

  public CheckpointSearch {
    usable = List.copyOf(usable);
    leftOut = List.copyOf(leftOut);
  }

  /**
   * Looks at every checkpoint that may be there.
   *
   * @param identity what the run computes
   * @throws BadRequestException if there are checkpoints, but of other runs, or damaged
   */
  public static CheckpointSearch in(RunFolder folder, SortedMap<String, String> identity)
      throws IOException {
    List<StoredCheckpoint> usable = new ArrayList<>();
    List<String> leftOut = new ArrayList<>();
    String foreign = null;
    for (long step : newestFirst(CheckpointSteps.read(folder))) {
      try {
        Optional<StoredCheckpoint> found = StoredCheckpoint.read(folder, step);
        if (found.isEmpty()) {
          continue;
        }
        Optional<String> difference =
            RunIdentity.difference(found.get().manifest().identity(), identity);
        if (difference.isPresent()) {
          foreign = foreign == null ? difference.get() : foreign;
          leftOut.add(
              "%s is of another run (%s).".formatted(found.get().display(), difference.get()));
          continue;
        }
        found.get().requireSizes();
        usable.add(found.get());
      } catch (InvalidCheckpointException e) {
        leftOut.add(e.getMessage());
      }
    }
    leaveOutWithoutBest(usable, leftOut);
    if (usable.isEmpty() && foreign != null) {
      throw new BadRequestException(
          "output.path %s holds checkpoints of another run (%s): correct that, choose another output.path, or start anew with --overwrite."
              .formatted(folder.display(), foreign));
    }
    if (usable.isEmpty() && !leftOut.isEmpty()) {
      throw noneUsable(folder, leftOut.get(0));
    }
    return new CheckpointSearch(usable, leftOut);
  }

  private static void leaveOutWithoutBest(List<StoredCheckpoint> usable, List<String> leftOut) {
    Set<Long> steps = usable.stream().map(StoredCheckpoint::step).collect(Collectors.toSet());
    usable.removeIf(
        checkpoint -> {
          OptionalLong needed = checkpoint.needed();
          boolean lacking = needed.isPresent() && !steps.contains(needed.getAsLong());
          if (lacking) {
            leftOut.add(checkpoint.lacksBest());
          }
          return lacking;
        });
  }

  /** A run that began anew would put its checkpoints in the place of those that are there. */
  public static BadRequestException noneUsable(RunFolder folder, String reason) {
    return new BadRequestException(
        "output.path %s holds checkpoints, and none of them can be used (%s): put their files back, choose another output.path, or start anew with --overwrite."
            .formatted(folder.display(), reason.replaceFirst("\\.$", "")));
  }

  /** Whether there may be any at all. */
  public static boolean mayFindAny(RunFolder folder) throws IOException {
    return !CheckpointSteps.read(folder).isEmpty();
  }

  private static List<Long> newestFirst(SortedSet<Long> steps) {
    List<Long> order = new ArrayList<>(steps);
    Collections.reverse(order);
    return order;
  }
}
