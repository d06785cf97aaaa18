package dev.anneal.training.io;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Writes a safetensors file front to back, so that no more than the caller's own buffer is in
 * memory.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">The format</a>
 */
public final class SafetensorsWriter {

  /** Supplies the data of one tensor after the other. */
  @FunctionalInterface
  public interface TensorData {

    /** Hands all data of {@code tensor}, little-endian and row-major, to {@code sink}. */
    void copy(TensorSpec tensor, Sink sink) throws IOException;
  }

  /** Takes the data of a tensor, in as many pieces as the caller likes. */
  @FunctionalInterface
  public interface Sink {

    /**
     * Writes what remains of {@code bytes}.
     *
     * @throws InterruptedIOException if the thread is interrupted
     */
    void write(ByteBuffer bytes) throws IOException;
  }

  /** Of a stream's write; a channel of the JDK's over a stream would take 8 KiB. */
  private static final int PART_BYTES = 1 << 16;

  private SafetensorsWriter() {}

  /**
   * Writes {@code tensors} in the given order with the metadata {@code format: pt} that Hugging
   * Face's libraries ask for. {@code out} stays open.
   *
   * @throws IllegalStateException if {@code data} supplies more or fewer bytes than a tensor has
   */
  public static void write(OutputStream out, List<TensorSpec> tensors, TensorData data)
      throws IOException {
    out.write(header(tensors));
    byte[] part = new byte[PART_BYTES];
    for (TensorSpec tensor : tensors) {
      CountingSink sink = new CountingSink(out, part, tensor);
      data.copy(tensor, sink);
      sink.finish();
    }
    out.flush();
  }

  private static byte[] header(List<TensorSpec> tensors) {
    ObjectNode header = JsonObject.create();
    header.putObject(SafetensorsHeader.METADATA).put("format", "pt");
    Set<String> names = new HashSet<>(Set.of(SafetensorsHeader.METADATA));
    long begin = 0;
    for (TensorSpec tensor : tensors) {
      if (!names.add(tensor.name())) {
        throw new IllegalArgumentException("two tensors are named " + tensor.name());
      }
      ObjectNode entry = header.putObject(tensor.name());
      entry.put("dtype", tensor.dtype().name());
      Arrays.stream(tensor.shape()).forEach(entry.putArray("shape")::add);
      long end = begin + tensor.byteSize();
      entry.putArray("data_offsets").add(begin).add(end);
      begin = end;
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    // the data begin at a multiple of 8 bytes
    byte[] padding = new byte[-json.length & 7];
    Arrays.fill(padding, (byte) ' ');
    return ByteBuffer.allocate(Long.BYTES + json.length + padding.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length + padding.length)
        .put(json)
        .put(padding)
        .array();
  }

  private static final class CountingSink implements Sink {
    private final OutputStream out;
    private final byte[] part;
    private final TensorSpec tensor;
    private long missing;

    CountingSink(OutputStream out, byte[] part, TensorSpec tensor) {
      this.out = out;
      this.part = part;
      this.tensor = tensor;
      this.missing = tensor.byteSize();
    }

    @Override
    public void write(ByteBuffer bytes) throws IOException {
      missing -= bytes.remaining();
      if (missing < 0) {
        throw new IllegalStateException(
            "%s bytes too many for tensor %s".formatted(-missing, tensor.name()));
      }
      while (bytes.hasRemaining()) {
        if (Thread.currentThread().isInterrupted()) {
          throw new InterruptedIOException("interrupted");
        }
        int length = Math.min(part.length, bytes.remaining());
        bytes.get(part, 0, length);
        out.write(part, 0, length);
      }
    }

    void finish() {
      if (missing != 0) {
        throw new IllegalStateException(
            "%s bytes too few for tensor %s".formatted(missing, tensor.name()));
      }
    }
  }
}
