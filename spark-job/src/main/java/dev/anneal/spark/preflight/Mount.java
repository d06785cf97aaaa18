package dev.anneal.spark.preflight;

import dev.anneal.spark.storage.LocalPlace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A file system in the tree of this process, as Linux lists it (<a
 * href="https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html">proc_pid_mountinfo</a>).
 *
 * @param type as {@code ext4} or {@code nfs4}
 */
record Mount(Path point, String type) {
  private static final Path LIST = Path.of("/proc/self/mountinfo");
  private static final Pattern LINE =
      Pattern.compile("\\S+ \\S+ \\S+ \\S+ (?<point>\\S+) .*? - (?<type>\\S+) .*");
  private static final Pattern ESCAPE = Pattern.compile("\\\\([0-7]{3})");

  /** File systems of one machine's disks and memory. */
  private static final Set<String> OF_ONE_MACHINE =
      Set.of("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "tmpfs", "ramfs");

  /** The one that holds a place, which need not be there yet. */
  static Mount of(Path place) throws IOException {
    return of(place, Files.readAllLines(LIST));
  }

  static Mount of(Path place, List<String> mountinfo) throws IOException {
    Path real = LocalPlace.there(place).toRealPath();
    Mount holding = null;
    for (String line : mountinfo) {
      Matcher fields = LINE.matcher(line);
      if (fields.matches()) {
        Mount mount = new Mount(Path.of(unescape(fields.group("point"))), fields.group("type"));
        // the deepest, and of several on one point the last
        if (real.startsWith(mount.point)
            && (holding == null || mount.point.getNameCount() >= holding.point.getNameCount())) {
          holding = mount;
        }
      }
    }
    if (holding == null) {
      throw new IOException("no file system holds " + real);
    }
    return holding;
  }

  private static String unescape(String point) {
    return ESCAPE
        .matcher(point)
        .replaceAll(
            found ->
                Matcher.quoteReplacement(Character.toString(Integer.parseInt(found.group(1), 8))));
  }

  /** Whether it is the tree itself, as a container's own file system is. */
  boolean isRoot() {
    return point.getNameCount() == 0;
  }

  /** Whether nobody else has it, as far as its type tells. */
  boolean isOfOneMachine() {
    return OF_ONE_MACHINE.contains(type);
  }
}
