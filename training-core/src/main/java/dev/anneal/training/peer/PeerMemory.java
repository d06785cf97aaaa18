package dev.anneal.training.peer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.PeerWaits;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.peer.SharedPage.Word;
import dev.anneal.training.tensor.Device;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.bytedeco.pytorch.Tensor;

/**
 * Tensors of all ranks of a group, each of which lies where the other ranks read it directly: no
 * collective, no kernel. Ranks are processes of one host, or threads of one process, each of these
 * on a device of its own.
 *
 * <p>What a rank shares stays as it is, or is written in an order that the ranks keep by {@link
 * #ready} and {@link #pulled}. When the group ends, whatever waits for these is freed, and what it
 * has read is void.
 */
public final class PeerMemory implements AutoCloseable {
  /** Where page-locked numbers lie that all processes of a host see. */
  static final Path SHARED_FOLDER = Path.of("/dev/shm");

  /** How long a rank that leaves waits for its peers. */
  private static final Duration FAREWELL = Duration.ofSeconds(5);

  private static final Duration PAUSE = Duration.ofMillis(2);

  private final Collectives ranks;
  private final Device device;
  private final PeerDriver driver;
  private final SharedPage page;
  private final long mapped;
  private final long[][] addresses;
  private final long[][] sizes;
  private final OpenedMemory opened;
  private final PeerWaits waits = new Waits();

  private volatile int sequence;
  private CudaEvent end;
  private boolean released;
  private volatile boolean closed;

  /**
   * @param mapped the device's address of {@code page}
   * @param addresses of every rank's tensors, in this process
   */
  PeerMemory(
      Collectives ranks,
      PeerArena arena,
      SharedPage page,
      long mapped,
      long[][] addresses,
      long[][] sizes,
      OpenedMemory opened) {
    this.ranks = ranks;
    this.device = arena.device();
    this.driver = arena.driver();
    this.page = page;
    this.mapped = mapped;
    this.addresses = addresses;
    this.sizes = sizes;
    this.opened = opened;
    ranks.include(waits);
    arena.keepUntil(page::areAllOver);
  }

  /**
   * Shares {@code tensors} with the other ranks. A collective, which waits for the device first:
   * what they hold is there for all when it returns.
   *
   * @param arena that all of them were taken from; its device is the current one of the calling
   *     thread
   * @param tensors contiguous; as many on every rank, which stay until {@link #close}
   * @throws NoPeerAccessException on all ranks alike, if any of them cannot read another's
   */
  public static PeerMemory share(Collectives ranks, PeerArena arena, List<Tensor> tensors)
      throws NoPeerAccessException {
    if (arena.driver() == null) {
      throw new NoPeerAccessException("they compute on the host");
    }
    return new Introduction(ranks, arena, SHARED_FOLDER).share(tensors);
  }

  /** How many ranks there are. */
  public int size() {
    return ranks.worldSize();
  }

  /** This one. */
  public int rank() {
    return ranks.rank();
  }

  /** The {@code i}-th rank to read of, so that no two ranks begin with the same; itself last. */
  public int inRing(int i) {
    return (rank() + 1 + i) % size();
  }

  /** Where {@code rank}'s tensor number {@code tensor} begins. */
  public long address(int rank, int tensor) {
    return addresses[rank][tensor];
  }

  /**
   * Where something lies, on every rank.
   *
   * @param tensor number of the shared one
   * @param offset bytes from its beginning
   */
  record Location(int tensor, long offset) {}

  /**
   * Where {@code within} lies.
   *
   * @throws IllegalArgumentException if that is in no tensor of this rank that peers read
   */
  Location location(Tensor within) {
    long address = within.data_ptr().address();
    long bytes = within.nbytes();
    for (int tensor = 0; tensor < sizes[rank()].length; tensor++) {
      long offset = address - address(rank(), tensor);
      if (offset >= 0 && offset + bytes <= sizes[rank()][tensor]) {
        return new Location(tensor, offset);
      }
    }
    throw new IllegalArgumentException("peers do not read what lies there");
  }

  /** Copies and waits of {@code stream}. */
  public CopyStream on(CudaStream stream) {
    return driver.on(stream);
  }

  /**
   * Brings the ranks' tensors number {@code tensor}, all of one size, end to end in their order.
   *
   * @param whole contiguous, of as many bytes as they have together
   * @param stream that does it, behind what it was given before
   */
  public void pull(int tensor, Tensor whole, CudaStream stream) {
    long bytes = sizes[rank()][tensor];
    if (whole.nbytes() != size() * bytes) {
      throw new IllegalArgumentException(
          "%s parts of %s bytes are not %s bytes".formatted(size(), bytes, whole.nbytes()));
    }
    long to = whole.data_ptr().address();
    CopyStream copies = on(stream);
    try (CudaStream.Use use = stream.use()) {
      ranks.watched(
          "pull",
          () -> {
            for (int i = 0; i < size(); i++) {
              int rank = inRing(i);
              copies.copy(to + rank * bytes, address(rank, tensor), bytes);
            }
          });
    }
  }

  /** The number of the next thing that ranks do in the same order; the first is 1. */
  public int next() {
    // only this rank's thread writes it
    int next = sequence + 1;
    sequence = next;
    return next;
  }

  /** Address of the last number for which {@code rank} has something ready. */
  public long ready(int rank) {
    return mapped + page.offset(Word.READY, rank);
  }

  /** Address of the last number for which {@code rank} has all that it pulls. */
  public long pulled(int rank) {
    return mapped + page.offset(Word.PULLED, rank);
  }

  /**
   * To be called before what this rank shares is freed, with all pulls before what the current
   * stream does next. Waits until no peer pulls any more, for 5 seconds at most, so that a rank
   * that fails can say so; then it frees whoever still waits, and a peer that goes on after that
   * learns from its group that what it reads is void. Ranks that succeed meet before.
   */
  @Override
  public void close() {
    boolean met = false;
    try {
      end = new CudaEvent(device);
      end.record();
      met = isFarewell();
    } finally {
      // also where the device has failed, for which nobody is to wait
      leave(met);
    }
  }

  private void leave(boolean met) {
    if (!met) {
      page.set(Word.STATE, rank(), SharedPage.GONE);
    }
    boolean clean;
    synchronized (this) {
      closed = true;
      clean = met && !released;
      released |= clean;
    }
    if (clean) {
      ranks.exclude(waits);
      dispose();
    } else {
      // at once: what this rank frees next may wait for all streams of the host. A thread cleans up
      // behind the last wait
      waits.release();
    }
  }

  /** Whether all ranks have come here, and their devices with all that they pull. */
  private boolean isFarewell() {
    long since = System.nanoTime();
    while (!page.isEnded()
        && !page.anyIn(SharedPage.GONE)
        && System.nanoTime() - since < FAREWELL.toNanos()) {
      if (end.isDone()) {
        page.set(Word.OVER, rank(), 1);
        page.set(Word.STATE, rank(), SharedPage.DONE);
      }
      if (!page.anyIn(SharedPage.HERE)) {
        return true;
      }
      LockSupport.parkNanos(PAUSE.toNanos());
    }
    return false;
  }

  private void dispose() {
    if (end != null) {
      end.close();
    }
    opened.close();
    driver.unmap(page.memory());
  }

  /** What the group sees. */
  private final class Waits implements PeerWaits {
    @Override
    public boolean areEnded() {
      return page.isEnded();
    }

    @Override
    public boolean areVoid() {
      return page.isEnded() || page.anyIn(SharedPage.GONE);
    }

    @Override
    public void release() {
      synchronized (PeerMemory.this) {
        if (released) {
          return;
        }
        released = true;
      }
      page.end();
      Thread thread = new Thread(this::free, "release of rank " + rank());
      thread.setDaemon(true);
      thread.start();
    }

    /** Again and again: streams that go on write their own numbers over what freed them. */
    private void free() {
      do {
        page.free(sequence);
        LockSupport.parkNanos(PAUSE.toNanos());
      } while (!closed || !isOver());
      page.set(Word.OVER, rank(), 1);
      dispose();
    }

    private boolean isOver() {
      try {
        return end == null || end.isDone();
      } catch (RuntimeException e) {
        // the device has failed and does nothing any more
        return true;
      }
    }
  }
}
