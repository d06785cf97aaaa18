package dev.anneal.training.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.LongStream;

/** The memory that a container may take: control groups, version 1 or 2. */
public final class Cgroup {
  /** Version 1 writes "no limit" as the largest number of pages. */
  private static final long NO_LIMIT = 1L << 60;

  private static final String V2 = "0::";
  private static final String V1_MEMORY = "memory";

  private Cgroup() {}

  /**
   * A group with a limit.
   *
   * @param usedBytes without what the kernel gives up by itself, which is files not used lately
   */
  record Limit(long bytes, long usedBytes) {
    long freeBytes() {
      return Math.max(0, bytes - usedBytes);
    }
  }

  /** The lowest limit from this process's group up to the root; empty where there is none. */
  public static OptionalLong memoryLimit() throws IOException {
    return memoryLimit(Files.readString(Path.of("/proc/self/cgroup")), Path.of("/sys/fs/cgroup"));
  }

  /**
   * Likewise.
   *
   * @param groups the lines of {@code /proc/self/cgroup}
   * @param root where the control groups are mounted
   */
  static OptionalLong memoryLimit(String groups, Path root) throws IOException {
    return limits(groups, root).stream().mapToLong(Limit::bytes).min();
  }

  /** Every limit that this process is under. */
  static List<Limit> limits(String groups, Path root) throws IOException {
    List<Limit> limits = new ArrayList<>();
    for (String line : groups.lines().toList()) {
      Optional<Path> mounted = mounted(line, root);
      if (mounted.isPresent()) {
        addUpwards(limits, line, mounted.get());
      }
    }
    return limits;
  }

  /** The root of the hierarchy that a line of {@code /proc/self/cgroup} names a group of. */
  private static Optional<Path> mounted(String line, Path root) {
    if (line.startsWith(V2)) {
      return Optional.of(root);
    }
    String[] parts = line.split(":", 3);
    return parts.length == 3 && parts[1].equals(V1_MEMORY)
        ? Optional.of(root.resolve(V1_MEMORY))
        : Optional.empty();
  }

  /** In a container the group's own path may not be there, since its root is what is mounted. */
  private static void addUpwards(List<Limit> limits, String line, Path root) throws IOException {
    boolean v2 = line.startsWith(V2);
    String group = line.substring(line.lastIndexOf(':') + 1).replaceFirst("^/+", "");
    for (Path at = root.resolve(group).normalize();
        at != null && at.startsWith(root);
        at = at.getParent()) {
      OptionalLong limit = read(at.resolve(v2 ? "memory.max" : "memory.limit_in_bytes"));
      if (limit.isPresent()) {
        long all = read(at.resolve(v2 ? "memory.current" : "memory.usage_in_bytes")).orElse(0);
        // the kernel gives up both for whoever asks
        long idle =
            stat(at.resolve("memory.stat"), v2 ? "inactive_file" : "total_inactive_file")
                + stat(at.resolve("memory.stat"), v2 ? "active_file" : "total_active_file");
        limits.add(new Limit(limit.getAsLong(), Math.max(0, all - idle)));
      }
    }
  }

  private static OptionalLong read(Path file) throws IOException {
    if (!Files.isReadable(file)) {
      return OptionalLong.empty();
    }
    String text = Files.readString(file).strip();
    if (text.equals("max")) {
      return OptionalLong.empty();
    }
    long bytes = Long.parseLong(text);
    return bytes >= NO_LIMIT ? OptionalLong.empty() : OptionalLong.of(bytes);
  }

  private static long stat(Path file, String name) throws IOException {
    if (!Files.isReadable(file)) {
      return 0;
    }
    LongStream values =
        Files.readString(file)
            .lines()
            .filter(line -> line.startsWith(name + " "))
            .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1).strip()));
    return values.findFirst().orElse(0);
  }
}
