package dev.anneal.training.merge;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.SafetensorsWriter.Sink;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.model.Dora;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Tensor;

/**
 * The data of a merged model's tensors: {@code W + scale * B A} in fp32, with DoRA its rows brought
 * to their trained lengths, rounded once. Some rows at a time are in memory, whatever a tensor's
 * size. A tensor that nothing is added to and that keeps its type is copied as it is.
 */
public final class MergedTensors implements SafetensorsWriter.TensorData, AutoCloseable {
  /** Of rows that are computed at a time. */
  private static final int ELEMENTS = 1 << 22;

  private static final int COPY_BYTES = 1 << 20;

  private final SafetensorsIndex index;
  private final SafetensorsWeights base;
  private final SafetensorsWeights adapter;
  private final Map<String, MergeInputs.Delta> deltas;

  /** Of the last quantized weight; they are written behind it. */
  private ByteBuffer scales = ByteBuffer.allocate(0);

  private MergedTensors(
      SafetensorsIndex index,
      SafetensorsWeights base,
      SafetensorsWeights adapter,
      Map<String, MergeInputs.Delta> deltas) {
    this.index = index;
    this.base = base;
    this.adapter = adapter;
    this.deltas = deltas;
  }

  /** Opens base model and adapter. */
  public static MergedTensors open(MergeInputs inputs) throws IOException {
    NativeLibraries.load();
    return new MergedTensors(
        SafetensorsIndex.open(inputs.base(), SafetensorsIndex.MODEL_FILE),
        SafetensorsWeights.open(inputs.base(), SafetensorsIndex.MODEL_FILE),
        SafetensorsWeights.open(inputs.adapter(), SafetensorsIndex.ADAPTER_FILE),
        inputs.deltas());
  }

  /** Writes a file of the merged model; {@code out} stays open. */
  public void write(MergePiece piece, OutputStream out) throws IOException {
    SafetensorsWriter.write(out, piece.tensors(), this);
  }

  @Override
  public void copy(TensorSpec tensor, Sink sink) throws IOException {
    if (CompressedTensors.isScale(tensor)) {
      sink.write(scales.flip());
      return;
    }
    TensorEntry stored = index.entry(tensor.name());
    MergeInputs.Delta delta = deltas.get(tensor.name());
    if (delta == null && stored.dtype() == tensor.dtype()) {
      copyAsItIs(stored, sink);
    } else {
      compute(tensor, delta, sink);
    }
  }

  private void copyAsItIs(TensorEntry stored, Sink sink) throws IOException {
    int elementBytes = stored.dtype().bytes();
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(COPY_BYTES, stored.byteSize()));
    long left = stored.byteSize();
    while (left > 0) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), left));
      index.read(stored.name(), (stored.byteSize() - left) / elementBytes, buffer);
      left -= buffer.position();
      sink.write(buffer.flip());
    }
  }

  private void compute(TensorSpec tensor, MergeInputs.Delta delta, Sink sink) throws IOException {
    long columns = tensor.shape().length < 2 ? 1 : tensor.shape()[1];
    long rows = tensor.elements() / columns;
    long step = Math.max(1, ELEMENTS / columns);
    if (tensor.dtype() == SafetensorsDType.F8_E4M3) {
      scales = ByteBuffer.allocate(Math.toIntExact(rows * SafetensorsDType.BF16.bytes()));
    }
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor a = delta == null ? null : adapter.read(delta.a(), DType.FP32, delta.r(), columns);
      for (long row = 0; row < rows; row += step) {
        try (TensorScope some = new TensorScope()) {
          long count = Math.min(step, rows - row);
          Tensor merged =
              base.read(tensor.name(), row * columns, count * columns, DType.FP32)
                  .view(count, columns);
          if (delta != null) {
            Tensor b =
                adapter
                    .read(delta.b(), row * delta.r(), count * delta.r(), DType.FP32)
                    .view(count, delta.r());
            merged.addmm_(b, a, Tensors.scalar(1), Tensors.scalar(delta.scale()));
            if (delta.magnitude() != null) {
              Tensor magnitude = adapter.read(delta.magnitude(), row, count, DType.FP32);
              merged.mul_(magnitude.div(Dora.ofRows(merged)).unsqueeze(1));
            }
          }
          write(tensor, merged, sink);
        }
      }
    }
  }

  /** Rounds rows of fp32 to the tensor's type, and writes them. */
  private void write(TensorSpec tensor, Tensor merged, Sink sink) throws IOException {
    if (tensor.dtype() == SafetensorsDType.F8_E4M3) {
      requireFinite(tensor, merged);
      CompressedTensors.Rows rows = CompressedTensors.quantize(merged);
      sink.write(bytes(rows.bytes()));
      scales.put(bytes(rows.scale()));
    } else {
      Tensor rounded = merged.to(MergeDType.scalarType(tensor.dtype()));
      requireFinite(tensor, rounded);
      sink.write(bytes(rounded));
    }
  }

  private void requireFinite(TensorSpec tensor, Tensor values) {
    if (!Tensors.areFinite(values)) {
      throw new InvalidModelException(
          "The merged %s has values that are no numbers or that %s cannot hold: look at the adapter's weights, or choose --dtype bf16 or fp32 (base: %s)."
              .formatted(tensor.name(), tensor.dtype(), index.where(tensor.name())));
    }
  }

  private static ByteBuffer bytes(Tensor tensor) {
    BytePointer memory = Tensors.bytes(tensor, 0);
    return memory.limit(tensor.nbytes()).asByteBuffer();
  }

  @Override
  public void close() throws IOException {
    adapter.close();
    base.close();
    index.close();
  }
}
