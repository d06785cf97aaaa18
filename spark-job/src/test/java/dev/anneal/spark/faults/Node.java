package dev.anneal.spark.faults;

import dev.anneal.spark.faults.Network.Host;
import java.nio.file.Path;
import java.util.List;

/**
 * A node of the cluster: a host with a worker, which starts the node's executors.
 *
 * @param localDisk where the executors keep what they shuffle and fetch
 */
record Node(Host host, Process worker, Path localDisk) {

  /** The executors that run there now. */
  List<ProcessHandle> executors() {
    return worker
        .descendants()
        .filter(p -> p.info().commandLine().orElse("").contains("CoarseGrainedExecutorBackend"))
        .toList();
  }

  /** Puts an empty file system of {@code bytes} over {@code folder} for this node's processes. */
  void mountSmallDisk(Path folder, long bytes) {
    Shell.run(there("mount -t tmpfs -o size=%s tmpfs %s".formatted(bytes, folder)));
  }

  /** Undoes {@link #mountSmallDisk}. */
  void unmount(Path folder) {
    Shell.run(there("umount -l " + folder));
  }

  /** Takes all the room that is left in {@code folder}. */
  void fill(Path folder) {
    Shell.attempt(there("dd if=/dev/zero bs=4k of=" + folder.resolve("filler")));
  }

  private String there(String command) {
    return "nsenter --mount --target %s %s".formatted(worker.pid(), command);
  }
}
