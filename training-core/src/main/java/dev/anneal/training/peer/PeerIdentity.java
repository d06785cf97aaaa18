package dev.anneal.training.peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What tells a rank's host, process and device from those of others.
 *
 * @param host the running kernel's own id
 * @param process its number, with the namespace that the number belongs to
 * @param ordinal CUDA's number of the device in that process
 * @param deviceId the device among those of the host
 */
public record PeerIdentity(String host, String process, int ordinal, String deviceId) {

  /** A device of the calling process. */
  static PeerIdentity of(int ordinal, String deviceId) throws NoPeerAccessException {
    try {
      String host = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
      // containers number their processes anew
      Path namespace = Files.readSymbolicLink(Path.of("/proc/self/ns/pid"));
      String process = namespace + "/" + ProcessHandle.current().pid();
      return new PeerIdentity(host, process, ordinal, deviceId);
    } catch (IOException e) {
      throw new NoPeerAccessException("the host does not tell who it is: " + e.getMessage());
    }
  }

  boolean sharesProcessWith(PeerIdentity other) {
    return host.equals(other.host) && process.equals(other.process);
  }
}
