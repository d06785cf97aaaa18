package dev.anneal.training.peer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Bytes of every rank for every rank, by the group's own gather. */
final class ByteGather {
  private ByteGather() {}

  /**
   * A collective; also a meeting, since nobody has the result before all have come.
   *
   * @param mine of any length
   * @return those of all ranks, in their order
   */
  static List<byte[]> gather(Collectives ranks, Device device, byte[] mine) {
    try (TensorScope scope = new TensorScope()) {
      long[] sizes = Tensors.longs(gather(ranks, device, Tensors.of(new long[] {mine.length})));
      int longest = Math.toIntExact(Math.max(1, Arrays.stream(sizes).max().getAsLong()));
      Tensor padded = Tensors.zeros(ScalarType.Byte, longest);
      Tensors.bytes(padded, 0).put(mine);
      Tensor all = gather(ranks, device, padded);
      // what a group that has ended gathers is void
      ranks.check();
      List<byte[]> parts = new ArrayList<>();
      for (int rank = 0; rank < sizes.length; rank++) {
        byte[] part = new byte[Math.toIntExact(sizes[rank])];
        Tensors.bytes(all, (long) rank * longest).get(part);
        parts.add(part);
      }
      return parts;
    }
  }

  private static Tensor gather(Collectives ranks, Device device, Tensor mine) {
    return Tensors.to(Device.CPU, ranks.allGather(Tensors.to(device, mine)));
  }
}
