package dev.anneal.training.io;

import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.util.Objects;

/** An open safetensors file. It has one read position, so one thread at a time may use it. */
public final class SafetensorsFile implements AutoCloseable {
  private final String where;
  private final SeekableByteChannel channel;
  private final SafetensorsHeader header;

  private SafetensorsFile(String where, SeekableByteChannel channel, SafetensorsHeader header) {
    this.where = where;
    this.channel = channel;
    this.header = header;
  }

  /**
   * Opens {@code file} of {@code folder} and checks its header.
   *
   * @throws InvalidModelException if it is missing, truncated or no safetensors file
   */
  public static SafetensorsFile open(ModelFolder folder, String file) throws IOException {
    if (!folder.has(file)) {
      throw new InvalidModelException(folder.location() + " has no " + file + ".");
    }
    String where = folder.locationOf(file);
    SeekableByteChannel channel = folder.open(file);
    try {
      return new SafetensorsFile(where, channel, SafetensorsHeader.read(channel, where));
    } catch (IOException | RuntimeException e) {
      try {
        channel.close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  /** The checked header. */
  public SafetensorsHeader header() {
    return header;
  }

  /** What messages call this file. */
  public String where() {
    return where;
  }

  /**
   * Fills what remains of {@code into} with the little-endian data of {@code tensor}, from its
   * element {@code firstElement} on.
   *
   * @throws IndexOutOfBoundsException if that is more than the tensor has
   * @throws InvalidModelException if the file has become shorter since it was opened
   */
  public void read(TensorEntry tensor, long firstElement, ByteBuffer into) throws IOException {
    long offset = Math.multiplyExact(firstElement, (long) tensor.dtype().bytes());
    Objects.checkFromIndexSize(offset, (long) into.remaining(), tensor.byteSize());
    channel.position(header.dataStart() + tensor.begin() + offset);
    while (into.hasRemaining()) {
      if (channel.read(into) < 0) {
        throw SafetensorsHeader.truncated(
            where, "tensor " + tensor.name(), header.dataStart() + tensor.end(), channel.size());
      }
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
