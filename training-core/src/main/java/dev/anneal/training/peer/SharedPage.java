package dev.anneal.training.peer;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;

/**
 * A few numbers in memory that all ranks of a host see, be they threads or processes, and that
 * their GPUs wait for: a file in memory, mapped by each, that loses its name once all have it.
 */
final class SharedPage {
  /** A number of each rank. */
  enum Word {
    /** The last number for which the rank has what its peers read of it; by its GPU. */
    READY(0),
    /** The last number for which the rank has all from its peers; by its GPU. */
    PULLED(1),
    /** {@link #HERE}, {@link #DONE} or {@link #GONE}. */
    STATE(2),
    /** 1 when the rank's device has all that it ever pulls, however the group has ended. */
    OVER(3);

    private final int place;

    Word(int place) {
      this.place = place;
    }
  }

  /** The rank may still pull. */
  static final int HERE = 0;

  /** It pulls nothing more. */
  static final int DONE = 1;

  /** What it shared may be overwritten. */
  static final int GONE = 2;

  private static final String PREFIX = "anneal-peers-";
  private static final int NAME_BYTES = 16;

  /** Numbers that different devices write lie in different lines of the caches. */
  private static final int STRIDE = 64;

  /** Ahead of every number that a stream waits for, in the order of 32-bit numbers that wrap. */
  private static final int AHEAD = 1 << 30;

  private static final int ENDED = STRIDE;
  private static final int FIRST = 2 * STRIDE;
  private static final int PAGE = 4096;

  private static final VarHandle INT =
      MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.nativeOrder());

  private final Path file;
  private final MappedByteBuffer memory;
  private final int ranks;

  private SharedPage(Path file, MappedByteBuffer memory, int ranks) {
    this.file = file;
    this.memory = memory;
    this.ranks = ranks;
  }

  /** A page of zeros, under a name of its own that nobody else can read. */
  static SharedPage create(Path folder, int ranks) throws IOException {
    byte[] name = new byte[NAME_BYTES];
    new SecureRandom().nextBytes(name);
    Path file = folder.resolve(PREFIX + HexFormat.of().formatHex(name));
    Files.createFile(
        file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    try {
      // written, not only made longer: where the file system is full, this says so
      ByteBuffer zeros = ByteBuffer.allocate(bytes(ranks));
      zeros.put(name).rewind();
      Files.write(file, zeros.array());
      return map(file, ranks);
    } catch (IOException e) {
      Files.deleteIfExists(file);
      throw e;
    }
  }

  /** The page that another rank of this host has made. */
  static SharedPage open(Path file, int ranks) throws IOException {
    SharedPage page = map(file, ranks);
    byte[] name = new byte[NAME_BYTES];
    page.memory.get(0, name);
    if (!file.endsWith(PREFIX + HexFormat.of().formatHex(name))) {
      throw new IOException(file + " is not the page of this group");
    }
    return page;
  }

  private static SharedPage map(Path file, int ranks) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      if (channel.size() != bytes(ranks)) {
        throw new IOException(file + " has %s bytes".formatted(channel.size()));
      }
      return new SharedPage(file, channel.map(MapMode.READ_WRITE, 0, bytes(ranks)), ranks);
    }
  }

  private static int bytes(int ranks) {
    int used = FIRST + Word.values().length * ranks * STRIDE;
    return (used + PAGE - 1) / PAGE * PAGE;
  }

  Path file() {
    return file;
  }

  /** Takes the name away; the page is there for as long as somebody has it mapped. */
  void unlink() {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // a few kilobytes that the host forgets when it starts again
    }
  }

  ByteBuffer memory() {
    return memory;
  }

  /** Where a number lies from the page's beginning. */
  int offset(Word word, int rank) {
    return FIRST + (word.place * ranks + rank) * STRIDE;
  }

  int get(Word word, int rank) {
    return (int) INT.getVolatile(memory, offset(word, rank));
  }

  void set(Word word, int rank, int value) {
    INT.setVolatile(memory, offset(word, rank), value);
  }

  /** Whether a rank has ended what the group does here. */
  boolean isEnded() {
    return (int) INT.getVolatile(memory, ENDED) != 0;
  }

  void end() {
    INT.setVolatile(memory, ENDED, 1);
  }

  /** Whether {@code state} is what any rank is in. */
  boolean anyIn(int state) {
    for (int rank = 0; rank < ranks; rank++) {
      if (get(Word.STATE, rank) == state) {
        return true;
      }
    }
    return false;
  }

  /** Whether no rank's device reads another's memory any more. */
  boolean areAllOver() {
    for (int rank = 0; rank < ranks; rank++) {
      if (get(Word.OVER, rank) == 0) {
        return false;
      }
    }
    return true;
  }

  /** Ends what streams wait for whose numbers are near {@code number}. */
  void free(int number) {
    for (int rank = 0; rank < ranks; rank++) {
      set(Word.READY, rank, number + AHEAD);
      set(Word.PULLED, rank, number + AHEAD);
    }
  }
}
