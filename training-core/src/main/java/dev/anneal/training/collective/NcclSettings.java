package dev.anneal.training.collective;

import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.global.torch;

/**
 * Environment variables that keep NCCL on the network of the ranks, and libtorch from ending the
 * process when a peer is lost. Its process groups bring a watchdog and a monitor of that watchdog,
 * which by default abort the whole JVM before anybody could tell the cause; {@link NcclCollectives}
 * has a watch of its own instead.
 */
final class NcclSettings {
  private static final Map<String, String> QUIET =
      Map.of(
          // an error of NCCL is kept for us to find (getError) and not thrown in the watchdog
          "TORCH_NCCL_ASYNC_ERROR_HANDLING", "0",
          // neither is an error of CUDA, which the rank's own thread meets as well
          "TORCH_NCCL_RETHROW_CUDA_ERRORS", "0",
          // a watchdog that hangs in a call of CUDA is no reason to abort
          "TORCH_NCCL_ENABLE_MONITORING", "0",
          // no record of every call, no dump of it, and no minute of waiting for the dump
          "TORCH_NCCL_TRACE_BUFFER_SIZE", "0",
          "TORCH_FR_BUFFER_SIZE", "0",
          "TORCH_NCCL_DUMP_ON_TIMEOUT", "0",
          "TORCH_NCCL_WAIT_TIMEOUT_DUMP_MILSEC", "1");

  private NcclSettings() {}

  /**
   * Sets those that are not set, in the environment that native code of this process reads.
   *
   * @param localAddress this host's on the interface that NCCL is to listen on
   */
  static void apply(InetAddress localAddress) {
    QUIET.forEach((name, value) -> torch.set_env(name, value, false));
    networkInterface(localAddress)
        .ifPresent(
            // "=" keeps NCCL from taking it for the beginning of a name
            found -> torch.set_env("NCCL_SOCKET_IFNAME", "=" + found.getName(), false));
  }

  private static Optional<NetworkInterface> networkInterface(InetAddress address) {
    try {
      return Optional.ofNullable(NetworkInterface.getByInetAddress(address));
    } catch (SocketException e) {
      // NCCL chooses for itself
      return Optional.empty();
    }
  }
}
