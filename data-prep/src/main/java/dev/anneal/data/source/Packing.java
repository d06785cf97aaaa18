package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.compressors.CompressorException;
import org.apache.commons.compress.compressors.CompressorStreamFactory;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;

/**
 * How a text file is packed. The first bytes tell of gzip, bzip2, xz and zstd, which what Spark
 * ships unpacks; other forms Hadoop's codecs know by the file's name.
 */
enum Packing {
  GZIP(CompressorStreamFactory.GZIP, 0x1f, 0x8b),
  BZIP2(CompressorStreamFactory.BZIP2, 'B', 'Z', 'h'),
  XZ(CompressorStreamFactory.XZ, 0xfd, '7', 'z', 'X', 'Z', 0),
  ZSTD(CompressorStreamFactory.ZSTANDARD, 0x28, 0xb5, 0x2f, 0xfd);

  private static final int BUFFER_BYTES = 1 << 16;
  private static final int LONGEST_MAGIC = 6;

  /** What names of packed files end with. */
  static final String SUFFIXES = "\\.(gz|gzip|bz2|xz|zst|zstd|deflate|snappy|lz4)$";

  private final String name;

  @SuppressWarnings("ImmutableEnumChecker")
  private final byte[] magic;

  Packing(String name, int... magic) {
    this.name = name;
    this.magic = new byte[magic.length];
    for (int i = 0; i < magic.length; i++) {
      this.magic[i] = (byte) magic[i];
    }
  }

  /** Whether the file's bytes are not those of its text. */
  static boolean isPacked(String file, Storage storage) throws IOException {
    try (BufferedInputStream in = new BufferedInputStream(storage.open(file), LONGEST_MAGIC)) {
      return of(in).isPresent() || codec(file, storage) != null;
    }
  }

  /** The unpacked content of a stream that is at its start. */
  static BufferedInputStream unpacked(String file, BufferedInputStream in, Storage storage)
      throws IOException {
    Optional<Packing> packing = of(in);
    if (packing.isPresent()) {
      return new BufferedInputStream(packing.get().unpack(file, in), BUFFER_BYTES);
    }
    CompressionCodec codec = codec(file, storage);
    return codec == null ? in : new BufferedInputStream(unpack(file, in, codec), BUFFER_BYTES);
  }

  private static Optional<Packing> of(BufferedInputStream in) throws IOException {
    in.mark(LONGEST_MAGIC);
    byte[] start = in.readNBytes(LONGEST_MAGIC);
    in.reset();
    return Arrays.stream(values()).filter(packing -> startsWith(start, packing.magic)).findFirst();
  }

  private static boolean startsWith(byte[] bytes, byte[] prefix) {
    return bytes.length >= prefix.length
        && Arrays.equals(bytes, 0, prefix.length, prefix, 0, prefix.length);
  }

  private InputStream unpack(String file, InputStream in) throws IOException {
    if (this == GZIP) {
      return new GZIPInputStream(in, BUFFER_BYTES);
    }
    try {
      // files may be several packed ones end to end
      return new CompressorStreamFactory(true).createCompressorInputStream(name, in);
    } catch (CompressorException | LinkageError e) {
      throw cannotUnpack(file, name, e);
    }
  }

  /** Hadoop's codec for a name that is none of the forms above; null where there is none. */
  private static CompressionCodec codec(String file, Storage storage) {
    String name = file.toLowerCase(java.util.Locale.ROOT);
    if (name.matches(".*\\.(gz|bz2|xz|zst|passthrough)")) {
      // its bytes say otherwise
      return null;
    }
    return new CompressionCodecFactory(storage.configuration()).getCodec(new Path(file));
  }

  private static InputStream unpack(String file, InputStream in, CompressionCodec codec)
      throws IOException {
    try {
      return codec.createInputStream(in);
    } catch (RuntimeException | LinkageError e) {
      throw cannotUnpack(file, codec.getDefaultExtension(), e);
    }
  }

  private static InvalidDataException cannotUnpack(String file, String form, Throwable cause) {
    return new InvalidDataException(
        "'"
            + file
            + "' is packed as "
            + form
            + ", which the Spark at hand cannot unpack: unpack the file, or pack it with gzip.",
        cause);
  }
}
