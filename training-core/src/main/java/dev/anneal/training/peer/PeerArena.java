package dev.anneal.training.peer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.LateRelease;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.peer.Introduction.Hello;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Memory of a rank's device for tensors that other ranks read. Where all ranks are threads of one
 * process these lie in pages that are mapped for all their devices, taken from the driver beside
 * libtorch and held until {@link #close}. Else it is libtorch's ordinary memory, which other
 * processes open, and threads cannot read.
 */
public final class PeerArena implements AutoCloseable {
  /** Where libtorch's own tensors begin, too. */
  private static final long ALIGNMENT = 512;

  /** How long {@link #close} waits for the devices. */
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  /** One allocation of the driver, of which tensors take one part after the other. */
  private static final class Chunk {
    final long address;
    final long bytes;
    long used;

    Chunk(long address, long bytes) {
      this.address = address;
      this.bytes = bytes;
    }
  }

  private final Device device;

  /** {@code null} where there are no peers. */
  private final PeerDriver driver;

  /** CUDA's numbers of the devices that read, of this process. */
  private final List<Integer> readers;

  private final MappedMemory mapped;
  private final List<Chunk> chunks = new ArrayList<>();
  private final List<BooleanSupplier> unread = new ArrayList<>();

  /** Why threads cannot read; {@code null} while they can. */
  private String trouble;

  private boolean closed;

  private PeerArena(
      Device device,
      PeerDriver driver,
      List<Integer> readers,
      MappedMemory mapped,
      String trouble) {
    this.device = device;
    this.driver = driver;
    this.readers = List.copyOf(readers);
    this.mapped = mapped;
    this.trouble = trouble;
  }

  /**
   * Libtorch's own memory, which other processes can read.
   *
   * @param driver {@code null} where there is none, as on the host
   * @param whyNotThreads what ranks are told that are threads of one process, without a full stop
   */
  public static PeerArena ordinary(Device device, PeerDriver driver, String whyNotThreads) {
    return new PeerArena(device, driver, List.of(), new MappedMemory(), whyNotThreads);
  }

  /**
   * Memory that all of {@code ranks} can read, as far as there is any: a collective.
   *
   * @param mapped counts what is taken beside libtorch
   */
  public static PeerArena open(
      Collectives ranks, Device device, PeerDriver driver, MappedMemory mapped) {
    Hello mine;
    try {
      mine = new Hello("", "", driver.identity());
    } catch (NoPeerAccessException e) {
      mine = new Hello(e.getMessage(), "", new PeerIdentity("", "", -1, ""));
    }
    List<Hello> hellos =
        ByteGather.gather(ranks, device, mine.encode()).stream().map(Hello::decode).toList();
    for (Hello hello : hellos) {
      if (!hello.trouble().isEmpty()) {
        return ordinary(device, driver, hello.trouble());
      }
    }
    List<PeerIdentity> all = hellos.stream().map(Hello::identity).toList();
    PeerIdentity own = all.get(ranks.rank());
    long near = all.stream().filter(own::sharesProcessWith).count();
    if (near < all.size()) {
      // these tell each other handles, which pages of this kind do not have
      return ordinary(
          device, driver, "some of the ranks are threads of one process, and others are not");
    }
    List<Integer> readers = all.stream().map(PeerIdentity::ordinal).toList();
    List<Integer> others = readers.stream().filter(o -> o != own.ordinal()).toList();
    return new PeerArena(device, driver, others, mapped, null);
  }

  /** Whose memory it is. */
  public Device device() {
    return device;
  }

  /** The way to it; {@code null} where there is none. */
  PeerDriver driver() {
    return driver;
  }

  /**
   * Uninitialized tensors of equal size in the current tensor scope, in one piece where they are
   * mapped. Those are there until {@link #close}, whatever becomes of the scope.
   *
   * @return {@code count} times {@code [bytes]} uint8
   */
  public List<Tensor> take(int count, long bytes) {
    long pitch = aligned(bytes);
    long first = trouble == null ? address(count * pitch) : 0;
    List<Tensor> tensors = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      tensors.add(
          trouble == null
              ? Tensors.over(device, first + i * pitch, bytes)
              : Tensors.empty(device, ScalarType.Byte, bytes));
    }
    return List.copyOf(tensors);
  }

  /** Room in the first chunk that has so much left, or else in a new one. */
  private long address(long bytes) {
    if (bytes == 0) {
      return 0;
    }
    Chunk chunk = chunks.stream().filter(c -> c.bytes - c.used >= bytes).findFirst().orElse(null);
    try {
      if (chunk == null) {
        long unit = driver.granularity();
        long whole = (bytes + unit - 1) / unit * unit;
        chunk = new Chunk(driver.allocate(whole, readers), whole);
        chunks.add(chunk);
        mapped.took(whole);
      }
    } catch (NoPeerAccessException e) {
      // the others hear of it when tensors are shared; until then this is memory like any other
      trouble = e.getMessage();
      return 0;
    }
    long address = chunk.address + chunk.used;
    chunk.used += bytes;
    return address;
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Throws why threads of this process cannot read it, if they cannot. */
  void requireReadable() throws NoPeerAccessException {
    if (trouble != null) {
      throw new NoPeerAccessException(trouble);
    }
  }

  /** The memory is not freed before {@code condition} is true, which is asked from any thread. */
  void keepUntil(BooleanSupplier condition) {
    unread.add(condition);
  }

  /** Bytes that are taken beside libtorch. */
  public long mappedBytes() {
    return chunks.stream().mapToLong(chunk -> chunk.bytes).sum();
  }

  /**
   * Frees what is mapped once the current stream has done what it was given, which comes after all
   * that uses it, and once no rank reads it any more. How long that takes: see {@link LateRelease}.
   *
   * @throws IllegalStateException if the memory is not free when it returns; says why
   */
  @Override
  public void close() {
    close(PATIENCE);
  }

  /** The same, waiting for so long. */
  void close(Duration patience) {
    if (closed || chunks.isEmpty()) {
      closed = true;
      return;
    }
    closed = true;
    String amount =
        String.format(Locale.ROOT, "%.2f GB that other ranks read", mappedBytes() / 1e9);
    BooleanSupplier work = LateRelease.currentWork(device);
    new LateRelease(device, amount, this::free)
        .when(
            // the work last: it is not asked again when it is done
            () -> unread.stream().allMatch(BooleanSupplier::getAsBoolean) && work.getAsBoolean(),
            patience);
  }

  private Optional<String> free() {
    Optional<String> failure = Optional.empty();
    for (Chunk chunk : chunks) {
      try {
        driver.free(chunk.address, chunk.bytes);
        mapped.gave(chunk.bytes);
      } catch (RuntimeException e) {
        failure = Optional.of(e.getMessage());
      }
    }
    chunks.clear();
    return failure;
  }
}
