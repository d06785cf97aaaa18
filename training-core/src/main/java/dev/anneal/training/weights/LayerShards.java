package dev.anneal.training.weights;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.RegisteredMemory;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.LayerLayout.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A rank's part of all decoder layers: some rows on its device, the others on the host. */
final class LayerShards implements AutoCloseable {
  private final LayerLayout layout;
  private final DType dtype;

  /** {@code [deviceBytes]} of uint8 a layer. */
  private final List<Tensor> device;

  /** {@code [hostBytes]} of uint8 a layer. */
  private final RegisteredMemory host;

  /** {@code [layers, shardRows]} fp32; {@code null} unless weights are in FP8. */
  private final Tensor scales;

  /**
   * Unwritten. What is on the device is in the current tensor scope.
   *
   * @param room on the device
   * @param pinned hears how many bytes on the host are there
   */
  LayerShards(LayerLayout layout, DType dtype, int layers, PeerArena room, LongConsumer pinned) {
    this.layout = layout;
    this.dtype = dtype;
    Device where = room.device();
    device = room.take(layers, layout.deviceBytes());
    if (layout.padded()) {
      device.forEach(Tensor::zero_);
    }
    scales =
        dtype == DType.FP8
            ? Tensors.ones(where, ScalarType.Float, layers, layout.shardRows())
            : null;
    int threads = RegisteredMemory.threads(layout.ranks());
    host = RegisteredMemory.allocate(where, layers, layout.hostBytes(), threads, pinned);
  }

  /**
   * Stores rows of a matrix in the dtype of the weights.
   *
   * @param row where they go among this rank's rows
   * @param values {@code [n, columns]} of any floating-point dtype, on the device
   */
  void write(int layer, Part part, long row, Tensor values) {
    try (TensorScope scope = new TensorScope()) {
      Tensor stored;
      if (dtype == DType.FP8) {
        Quantized quantized = Fp8.quantize(values);
        stored = quantized.bytes();
        long n = values.size(0);
        scales
            .select(0, layer)
            .narrow(0, part.at().scale() + row, n)
            .copy_(quantized.scale().view(n));
      } else {
        stored = values.to(dtype.scalarType());
      }
      Tensor bytes = stored.contiguous().view(stored.numel()).view(ScalarType.Byte);
      long first = row * part.rowBytes();
      long end = first + bytes.numel();
      long border = Math.min(Math.max(part.deviceBytes(), first), end);
      if (first < border) {
        device
            .get(layer)
            .narrow(0, part.at().device() + first, border - first)
            .copy_(bytes.narrow(0, 0, border - first));
      }
      long at = border - first;
      long hostAt = part.at().host() + border - part.deviceBytes();
      if (border < end) {
        host.block(layer)
            .narrow(0, hostAt, end - border)
            .copy_(bytes.narrow(0, at, end - border), true);
      }
    }
  }

  /** This rank's rows that lie on the device, a tensor of bytes a layer. */
  List<Tensor> onDevice() {
    return device;
  }

  /** This rank's rows of a matrix that lie on the device, as {@code [n]} bytes. */
  Tensor onDevice(int layer, Part part) {
    return device.get(layer).narrow(0, part.at().device(), part.deviceBytes());
  }

  /** Those on the host, in one piece if there are any. */
  List<Tensor> onHost(int layer, Part part) {
    return part.hostBytes() == 0
        ? List.of()
        : List.of(host.block(layer).narrow(0, part.at().host(), part.hostBytes()));
  }

  /**
   * The scales of all ranks' rows, layer by layer and part by part: {@code [rows]} fp32 on the
   * device each, in the current tensor scope; {@code null} each unless weights are in FP8.
   */
  List<List<Tensor>> gatherScales(Collectives collectives) {
    List<List<Tensor>> gathered = new ArrayList<>();
    try (TensorScope scope = new TensorScope()) {
      Tensor all = null;
      if (scales != null) {
        Tensor mine = scales.view(scales.numel());
        all = layout.ranks() == 1 ? mine : collectives.allGather(mine);
      }
      for (int layer = 0; layer < device.size(); layer++) {
        List<Tensor> ofLayer = new ArrayList<>();
        for (Part part : layout.parts()) {
          ofLayer.add(all == null ? null : scope.keep(scales(all, layer, part)));
        }
        gathered.add(ofLayer);
      }
    }
    return gathered;
  }

  /** Cuts one matrix' scales out of those of all ranks, layers and matrices. */
  private Tensor scales(Tensor all, int layer, Part part) {
    long ranks = layout.ranks();
    return all.view(ranks, device.size(), layout.shardRows())
        .select(1, layer)
        .narrow(1, part.at().scale(), part.shardRows())
        .reshape(ranks * part.shardRows())
        .narrow(0, 0, part.rows())
        .clone();
  }

  long deviceBytes() {
    long bytes = device.stream().mapToLong(Tensor::nbytes).sum();
    return scales == null ? bytes : bytes + scales.nbytes();
  }

  long hostBytes() {
    return host.bytes();
  }

  /** Frees what is on the host: see {@link RegisteredMemory#close}. */
  @Override
  public void close() {
    host.close();
  }
}
