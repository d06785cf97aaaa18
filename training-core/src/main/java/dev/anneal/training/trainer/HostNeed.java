package dev.anneal.training.trainer;

import static java.util.Locale.ROOT;

import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.StepMemory;
import dev.anneal.training.trainer.MemoryTable.Part;
import dev.anneal.training.trainer.MemoryTable.Rank;
import dev.anneal.training.trainer.MemoryTable.Row;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What the ranks of a host take of its memory at least: page-locked for GPUs, or everything where
 * they compute on the host. What Java and libraries take comes on top.
 *
 * @param bytes by what it is for, the largest first
 */
record HostNeed(Map<String, Long> bytes) {

  /**
   * Of the ranks of a host with GPUs, rank 0 among them.
   *
   * @param batch a micro-batch that the run surely has
   */
  static HostNeed pinned(Rank rank, BatchShape batch, int ranks) {
    StepMemory step = MemoryTable.step(rank, batch);
    Map<String, Long> bytes = new LinkedHashMap<>();
    for (Row row : MemoryTable.lasting(rank)) {
      bytes.merge(row.name(), ranks * row.hostBytes() + row.firstBytes(), Long::sum);
    }
    bytes.put("inputs of layers computed again", ranks * step.pinned().inputs());
    bytes.put("layers that wait on the host", ranks * step.pinned().layers());
    bytes.put("snapshots for checkpoints", snapshots(rank, ranks));
    return sorted(bytes);
  }

  /** Of the ranks of a host without GPUs: what they hold all the time. */
  static HostNeed onCpu(Rank rank, int ranks) {
    Map<String, Long> bytes = new LinkedHashMap<>();
    for (Row row : MemoryTable.lasting(rank)) {
      if (row.part() != Part.WORK) {
        long each = row.deviceBytes() + row.hostBytes();
        bytes.merge(row.name(), ranks * each + row.firstBytes(), Long::sum);
      }
    }
    bytes.put("snapshots for checkpoints", snapshots(rank, ranks));
    return sorted(bytes);
  }

  private static long snapshots(Rank rank, int ranks) {
    return MemoryTable.snapshot(rank, 0) + (ranks - 1) * MemoryTable.snapshot(rank, 1);
  }

  private static HostNeed sorted(Map<String, Long> bytes) {
    List<Map.Entry<String, Long>> entries = new ArrayList<>(bytes.entrySet());
    entries.removeIf(entry -> entry.getValue() == 0);
    entries.sort(Map.Entry.<String, Long>comparingByValue().reversed());
    Map<String, Long> ordered = new LinkedHashMap<>();
    entries.forEach(entry -> ordered.put(entry.getKey(), entry.getValue()));
    return new HostNeed(ordered);
  }

  long total() {
    return bytes.values().stream().mapToLong(Long::longValue).sum();
  }

  /** What it is for, with its size, in words. */
  String inWords() {
    return bytes.entrySet().stream()
        .map(e -> "%s %s".formatted(e.getKey(), size(e.getValue())))
        .collect(Collectors.joining(", "));
  }

  /** GB of 10^9 bytes; small ones in MB. */
  static String size(long bytes) {
    return bytes < 100_000_000
        ? String.format(ROOT, "%.1f MB", bytes / 1e6)
        : String.format(ROOT, "%.1f GB", bytes / 1e9);
  }
}
