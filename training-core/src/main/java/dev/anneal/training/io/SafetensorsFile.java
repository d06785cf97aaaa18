package dev.anneal.training.io;

import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.util.Objects;

/** An open safetensors file. Several threads may read it at a time. */
public final class SafetensorsFile implements AutoCloseable {
  private final String file;
  private final String where;
  private final ChannelPool channels;
  private final SafetensorsHeader header;

  private SafetensorsFile(
      String file, String where, ChannelPool channels, SafetensorsHeader header) {
    this.file = file;
    this.where = where;
    this.channels = channels;
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
    return open(folder, file, new ChannelPool(folder));
  }

  /** Opens a file that is there, on channels that others share. */
  static SafetensorsFile open(ModelFolder folder, String file, ChannelPool channels)
      throws IOException {
    String where = folder.locationOf(file);
    SafetensorsHeader header =
        reading(channels, file, 0, channel -> SafetensorsHeader.read(channel, where));
    return new SafetensorsFile(file, where, channels, header);
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
    long position = header.dataStart() + tensor.begin() + offset;
    reading(channels, file, position, channel -> fill(channel, position, tensor, into));
  }

  private ByteBuffer fill(
      SeekableByteChannel channel, long position, TensorEntry tensor, ByteBuffer into)
      throws IOException {
    channel.position(position);
    while (into.hasRemaining()) {
      if (channel.read(into) < 0) {
        throw SafetensorsHeader.truncated(
            where, "tensor " + tensor.name(), header.dataStart() + tensor.end(), channel.size());
      }
    }
    return into;
  }

  private interface Reading<T> {
    T read(SeekableByteChannel channel) throws IOException;
  }

  /** Reads from a channel of its own, which is closed if that fails. */
  private static <T> T reading(ChannelPool channels, String file, long position, Reading<T> reading)
      throws IOException {
    SeekableByteChannel channel = channels.take(file, position);
    T result;
    try {
      result = reading.read(channel);
    } catch (IOException | RuntimeException e) {
      try {
        channel.close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
    channels.giveBack(file, channel);
    return result;
  }

  /** Closes it once nobody reads it. */
  @Override
  public void close() throws IOException {
    channels.close();
  }
}
