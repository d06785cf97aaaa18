package dev.anneal.spark.doctor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/** The memory that a container may take: control groups, version 1 or 2. */
final class Cgroup {
  /** Version 1 writes "no limit" as the largest number of pages. */
  private static final long NO_LIMIT = 1L << 60;

  private static final String V2 = "0::";
  private static final String V1_MEMORY = "memory";

  private Cgroup() {}

  /** The lowest limit from this process's group up to the root; empty where there is none. */
  static OptionalLong memoryLimit() throws IOException {
    return memoryLimit(Files.readString(Path.of("/proc/self/cgroup")), Path.of("/sys/fs/cgroup"));
  }

  /**
   * Likewise.
   *
   * @param groups the lines of {@code /proc/self/cgroup}
   * @param root where the control groups are mounted
   */
  static OptionalLong memoryLimit(String groups, Path root) throws IOException {
    OptionalLong lowest = OptionalLong.empty();
    for (String line : groups.lines().toList()) {
      Optional<Path> limits = limits(line, root);
      if (limits.isPresent()) {
        lowest = lower(lowest, lowestUpwards(line, limits.get()));
      }
    }
    return lowest;
  }

  /** The root of the hierarchy that a line of {@code /proc/self/cgroup} names a group of. */
  private static Optional<Path> limits(String line, Path root) {
    if (line.startsWith(V2)) {
      return Optional.of(root);
    }
    String[] parts = line.split(":", 3);
    return parts.length == 3 && parts[1].equals(V1_MEMORY)
        ? Optional.of(root.resolve(V1_MEMORY))
        : Optional.empty();
  }

  /** In a container the group's own path may not be there, since its root is what is mounted. */
  private static OptionalLong lowestUpwards(String line, Path root) throws IOException {
    String file = line.startsWith(V2) ? "memory.max" : "memory.limit_in_bytes";
    String group = line.substring(line.lastIndexOf(':') + 1).replaceFirst("^/+", "");
    OptionalLong lowest = OptionalLong.empty();
    for (Path at = root.resolve(group).normalize();
        at != null && at.startsWith(root);
        at = at.getParent()) {
      Path limit = at.resolve(file);
      if (Files.isReadable(limit)) {
        lowest = lower(lowest, parse(Files.readString(limit)));
      }
    }
    return lowest;
  }

  private static OptionalLong parse(String limit) {
    String text = limit.strip();
    if (text.equals("max")) {
      return OptionalLong.empty();
    }
    long bytes = Long.parseLong(text);
    return bytes >= NO_LIMIT ? OptionalLong.empty() : OptionalLong.of(bytes);
  }

  private static OptionalLong lower(OptionalLong a, OptionalLong b) {
    if (a.isEmpty() || b.isEmpty()) {
      return a.isEmpty() ? b : a;
    }
    return OptionalLong.of(Math.min(a.getAsLong(), b.getAsLong()));
  }
}
