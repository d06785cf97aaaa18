package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubDigest;
import dev.anneal.data.hub.HubFile;
import dev.anneal.data.hub.HubReader;
import dev.anneal.storage.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * A local file that comes in parts, in any order, and gets its name when it is complete and its
 * checksum is right. A journal beside it says which parts have come, so that another process goes
 * on with it; both are named by what the hub says of the content.
 */
final class PartedFile {
  private static final int DIGEST_BYTES = 1 << 20;

  private final HubFile file;
  private final Path target;
  private final Path content;
  private final Path journal;
  private final long partBytes;
  private final int parts;

  /** Parts that have come; what connections share is guarded by it, the checksum by this. */
  private final BitSet done = new BitSet();

  private FileChannel channel;
  private HubDigest digest;
  private int digested;

  private PartedFile(HubFile file, Path work, Path target, long partBytes) {
    String name = Sha256.of(String.join("\n", file.path(), file.checksum(), "" + partBytes));
    this.file = file;
    this.target = target;
    this.content = work.resolve(name + ".part");
    this.journal = work.resolve(name + ".done");
    this.partBytes = partBytes;
    this.parts = (int) Math.max(1, (file.bytes() + partBytes - 1) / partBytes);
  }

  /** With what there is of it in the working folder. */
  static PartedFile open(HubFile file, Path work, Path target, long partBytes) throws IOException {
    PartedFile parted = new PartedFile(file, work, target, partBytes);
    parted.readJournal();
    return parted;
  }

  private void readJournal() throws IOException {
    if (!Files.exists(content) || !Files.exists(journal)) {
      Files.deleteIfExists(journal);
      return;
    }
    String lines = Files.readString(journal);
    // behind the last line end there may be half a number
    lines
        .substring(0, lines.lastIndexOf('\n') + 1)
        .lines()
        .mapToInt(Integer::parseInt)
        .filter(part -> part < parts)
        .forEach(done::set);
    if (done.cardinality() == parts) {
      // whoever brings the last part gives the file its name
      done.clear(parts - 1);
    }
  }

  HubFile file() {
    return file;
  }

  List<Integer> missingParts() {
    return IntStream.range(0, parts).filter(part -> !done.get(part)).boxed().toList();
  }

  long missingBytes() {
    return file.bytes() - done.stream().mapToLong(part -> end(part) - start(part)).sum();
  }

  private long start(int part) {
    return part * partBytes;
  }

  private long end(int part) {
    return Math.min(file.bytes(), start(part) + partBytes);
  }

  /**
   * Fetches a part.
   *
   * @param fetched told of bytes as they come
   */
  void fetch(int part, HubReader reader, LongConsumer fetched) throws IOException {
    FileChannel out = channel();
    reader.read(
        start(part),
        end(part),
        (bytes, length, position) -> {
          writeFully(out, ByteBuffer.wrap(bytes, 0, length), position);
          fetched.accept(length);
        });
    becomesDone(part);
  }

  /**
   * Goes on with the checksum over the parts at the beginning that have come; when that are all of
   * them, the file gets its name.
   *
   * @param known adds a checksum that came with the content
   */
  synchronized void digest(UnaryOperator<HubFile> known) throws IOException {
    if (digested == parts) {
      return;
    }
    if (digest == null) {
      digest = new HubDigest(known.apply(file));
    }
    FileChannel in = channel();
    ByteBuffer chunk = ByteBuffer.allocate(DIGEST_BYTES);
    for (; digested < parts && has(digested); digested++) {
      for (long position = start(digested); position < end(digested); ) {
        chunk.clear().limit((int) Math.min(DIGEST_BYTES, end(digested) - position));
        int read = in.read(chunk, position);
        if (read < 0) {
          throw new IOException("'%s' is shorter than what was written".formatted(content));
        }
        position += read;
        digest.update(chunk.flip());
      }
    }
    if (digested == parts) {
      finish();
    }
  }

  private FileChannel channel() throws IOException {
    synchronized (done) {
      if (channel == null) {
        channel =
            FileChannel.open(
                content,
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE);
      }
      return channel;
    }
  }

  private static void writeFully(FileChannel out, ByteBuffer bytes, long position)
      throws IOException {
    long at = position;
    while (bytes.hasRemaining()) {
      at += out.write(bytes, at);
    }
  }

  /** Writes down that a part has come. */
  private void becomesDone(int part) throws IOException {
    synchronized (done) {
      Files.writeString(journal, part + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
      done.set(part);
    }
  }

  private boolean has(int part) {
    synchronized (done) {
      return done.get(part);
    }
  }

  private void finish() throws IOException {
    channel.close();
    if (!digest.matches()) {
      Files.delete(content);
      Files.delete(journal);
      throw HubDigest.mismatch(file);
    }
    Files.createDirectories(target.getParent());
    Files.move(content, target, StandardCopyOption.ATOMIC_MOVE);
    Files.delete(journal);
  }

  /** Closes it as far as it is open. */
  void close() throws IOException {
    synchronized (done) {
      if (channel != null) {
        channel.close();
      }
    }
  }
}
