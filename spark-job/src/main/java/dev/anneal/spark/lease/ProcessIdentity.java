package dev.anneal.spark.lease;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * A process, told apart from all others on Linux, also from later ones with its number.
 *
 * @param host for people
 * @param bootId of the kernel since it started
 * @param pidNamespace within which the number means something
 * @param startTicks since the boot, see {@code starttime} in proc(5)
 */
record ProcessIdentity(String host, String bootId, String pidNamespace, long pid, long startTicks) {
  private static final Path PROC = Path.of("/proc");

  // fields of /proc/PID/stat behind the name of the program, which may hold anything
  private static final int STATE = 0;
  private static final int START_TICKS = 19;

  /** This process. */
  static ProcessIdentity current() throws IOException {
    long pid = ProcessHandle.current().pid();
    return new ProcessIdentity(
        hostName(),
        Files.readString(PROC.resolve("sys/kernel/random/boot_id")).strip(),
        Files.readSymbolicLink(PROC.resolve("self/ns/pid")).toString(),
        pid,
        Long.parseLong(stat(pid)[START_TICKS]));
  }

  /** Whether the other process would be seen from this one if it lived. */
  boolean sees(ProcessIdentity other) {
    return bootId.equals(other.bootId) && pidNamespace.equals(other.pidNamespace);
  }

  /** Whether a process that is {@linkplain #sees seen} from here lives; a zombie does not. */
  boolean isAlive() throws IOException {
    try {
      String[] stat = stat(pid);
      boolean dead = stat[STATE].equals("Z") || stat[STATE].equals("X");
      return !dead && Long.parseLong(stat[START_TICKS]) == startTicks;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static String[] stat(long pid) throws IOException {
    String line = Files.readString(PROC.resolve(pid + "/stat"));
    return line.substring(line.lastIndexOf(')') + 2).split(" ");
  }

  private static String hostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "unknown";
    }
  }
}
