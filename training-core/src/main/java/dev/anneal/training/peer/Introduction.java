package dev.anneal.training.peer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.peer.SharedMemory.Region;
import dev.anneal.training.peer.SharedPage.Word;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * How ranks find out whether they read each other's memory, in three gathers: who is where, what
 * lies where, and who could read a number of each other. All of them come to the same end.
 */
final class Introduction {
  private final Collectives ranks;
  private final Device device;
  private final PeerArena arena;
  private final PeerDriver driver;
  private final Path folder;
  private final int size;
  private final int rank;

  /**
   * @param arena what this rank shares lies in it
   * @param folder for the page that all ranks see
   */
  Introduction(Collectives ranks, PeerArena arena, Path folder) {
    this.ranks = ranks;
    this.arena = arena;
    this.device = arena.device();
    this.driver = arena.driver();
    this.folder = folder;
    this.size = ranks.worldSize();
    this.rank = ranks.rank();
  }

  PeerMemory share(List<Tensor> tensors) throws NoPeerAccessException {
    SharedPage page = null;
    String trouble = "";
    if (rank == 0) {
      try {
        page = SharedPage.create(folder, size);
      } catch (IOException | UnsupportedOperationException e) {
        trouble = "there is no shared page in %s: %s".formatted(folder, e);
      }
    }
    try {
      List<Hello> hellos = hellos(trouble, page == null ? "" : page.file().toString());
      return share(tensors, hellos, page);
    } finally {
      // all have it mapped by now, or nobody needs it
      if (page != null) {
        page.unlink();
      }
    }
  }

  /**
   * What a rank says first.
   *
   * @param trouble why it cannot share; empty if it can
   * @param page name of the shared page, on rank 0
   */
  record Hello(String trouble, String page, PeerIdentity identity) {
    byte[] encode() {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (DataOutputStream out = new DataOutputStream(bytes)) {
        out.writeUTF(trouble);
        out.writeUTF(page);
        out.writeUTF(identity.host());
        out.writeUTF(identity.process());
        out.writeInt(identity.ordinal());
        out.writeUTF(identity.deviceId());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return bytes.toByteArray();
    }

    static Hello decode(byte[] bytes) {
      try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
        String trouble = in.readUTF();
        String page = in.readUTF();
        return new Hello(
            trouble,
            page,
            new PeerIdentity(in.readUTF(), in.readUTF(), in.readInt(), in.readUTF()));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private List<Hello> hellos(String trouble, String page) throws NoPeerAccessException {
    Hello mine;
    try {
      mine = new Hello(trouble, page, driver.identity());
    } catch (NoPeerAccessException e) {
      mine = new Hello(e.getMessage(), page, new PeerIdentity("", "", -1, ""));
    }
    List<Hello> hellos =
        ByteGather.gather(ranks, device, mine.encode()).stream().map(Hello::decode).toList();
    requireNone(hellos.stream().map(Hello::trouble).toList());
    requireOneHost(hellos.stream().map(Hello::identity).toList());
    return hellos;
  }

  /** Throws the first trouble that a rank has; every rank sees the same. */
  private static void requireNone(List<String> troubles) throws NoPeerAccessException {
    for (int rank = 0; rank < troubles.size(); rank++) {
      if (!troubles.get(rank).isEmpty()) {
        throw new NoPeerAccessException("rank %s: %s".formatted(rank, troubles.get(rank)));
      }
    }
  }

  static void requireOneHost(List<PeerIdentity> identities) throws NoPeerAccessException {
    Map<String, Integer> devices = new HashMap<>();
    for (int rank = 0; rank < identities.size(); rank++) {
      PeerIdentity identity = identities.get(rank);
      if (!identity.host().equals(identities.get(0).host())) {
        throw new NoPeerAccessException("ranks 0 and %s are on different hosts".formatted(rank));
      }
      Integer other = devices.put(identity.process() + " " + identity.deviceId(), rank);
      if (other != null) {
        // streams of a process may share a queue of the device, where a wait would hold up what it
        // waits for; those of two processes never do
        throw new NoPeerAccessException("ranks %s and %s share a device".formatted(other, rank));
      }
    }
  }

  private PeerMemory share(List<Tensor> tensors, List<Hello> hellos, SharedPage own)
      throws NoPeerAccessException {
    OpenedMemory opened = new OpenedMemory(driver);
    SharedPage page = own;
    boolean mapped = false;
    boolean done = false;
    try (TensorScope scope = new TensorScope()) {
      long probe = new SecureRandom().nextLong();
      List<Tensor> shared = new ArrayList<>(tensors);
      Tensor number = arena.take(1, Long.BYTES).get(0).view(ScalarType.Long);
      number.copy_(Tensors.of(new long[] {probe}));
      shared.add(number);
      // what peers are going to read is written
      driver.synchronize();
      long words = 0;
      SharedMemory mine;
      try {
        page = own == null ? opened(hellos.get(0)) : own;
        words = driver.map(page.memory());
        mapped = true;
        if (hasThreads(hellos)) {
          arena.requireReadable();
        }
        mine = describe(shared, probe, needsHandles(hellos));
      } catch (NoPeerAccessException e) {
        mine = SharedMemory.none(e.getMessage());
      }
      List<SharedMemory> all =
          ByteGather.gather(ranks, device, mine.encode()).stream()
              .map(SharedMemory::decode)
              .toList();
      requireNone(all.stream().map(SharedMemory::trouble).toList());
      long[][] addresses = new long[size][];
      String trouble = "";
      try {
        for (int peer = 0; peer < size; peer++) {
          addresses[peer] = addresses(peer, hellos, all.get(peer), opened);
        }
        probe(all, addresses, words + page.offset(Word.READY, rank));
      } catch (NoPeerAccessException e) {
        trouble = e.getMessage();
      }
      requireNone(
          ByteGather.gather(ranks, device, trouble.getBytes(StandardCharsets.UTF_8)).stream()
              .map(bytes -> new String(bytes, StandardCharsets.UTF_8))
              .toList());
      done = true;
      return new PeerMemory(ranks, arena, page, words, addresses, sizes(all), opened);
    } finally {
      if (!done) {
        opened.close();
        if (mapped) {
          driver.unmap(page.memory());
        }
      }
    }
  }

  private SharedPage opened(Hello first) throws NoPeerAccessException {
    try {
      return SharedPage.open(Path.of(first.page()), size);
    } catch (IOException e) {
      throw new NoPeerAccessException("it does not see the page of rank 0: " + e);
    }
  }

  /** Whether another rank of this process is to read. */
  private boolean hasThreads(List<Hello> hellos) {
    return hellos.stream()
            .filter(h -> h.identity().sharesProcessWith(hellos.get(rank).identity()))
            .count()
        > 1;
  }

  private boolean needsHandles(List<Hello> hellos) {
    return hellos.stream()
        .anyMatch(h -> !h.identity().sharesProcessWith(hellos.get(rank).identity()));
  }

  private SharedMemory describe(List<Tensor> tensors, long probe, boolean withHandles)
      throws NoPeerAccessException {
    Map<Long, Integer> numbers = new HashMap<>();
    List<byte[]> handles = new ArrayList<>();
    List<Region> regions = new ArrayList<>();
    for (Tensor tensor : tensors) {
      long bytes = tensor.nbytes();
      if (bytes == 0 || !withHandles) {
        regions.add(new Region(bytes == 0 ? 0 : tensor.data_ptr().address(), bytes, -1, 0));
        continue;
      }
      long address = tensor.data_ptr().address();
      long base = driver.base(address);
      if (!numbers.containsKey(base)) {
        numbers.put(base, handles.size());
        handles.add(driver.export(base));
      }
      regions.add(new Region(address, bytes, numbers.get(base), address - base));
    }
    return new SharedMemory("", probe, handles, regions);
  }

  /** Where a rank's regions begin in this process. */
  private long[] addresses(int peer, List<Hello> hellos, SharedMemory memory, OpenedMemory opened)
      throws NoPeerAccessException {
    boolean near = hellos.get(peer).identity().sharesProcessWith(hellos.get(rank).identity());
    long[] bases = near ? new long[0] : opened.open(memory.handles());
    long[] addresses = new long[memory.regions().size()];
    for (int i = 0; i < addresses.length; i++) {
      Region region = memory.regions().get(i);
      addresses[i] =
          near || region.bytes() == 0 ? region.address() : bases[region.handle()] + region.offset();
    }
    return addresses;
  }

  private static long[][] sizes(List<SharedMemory> all) {
    return all.stream()
        .map(memory -> memory.regions().stream().mapToLong(Region::bytes).toArray())
        .toArray(long[][]::new);
  }

  /**
   * Reads the last region of every rank, and waits for a word of the page: hosts exist that say yes
   * to everything and copy something else.
   */
  private void probe(List<SharedMemory> all, long[][] addresses, long word)
      throws NoPeerAccessException {
    try (TensorScope scope = new TensorScope();
        CudaStream stream = CudaStream.of(device)) {
      Tensor found = Tensors.zeros(device, ScalarType.Long, size);
      driver.synchronize();
      CopyStream copies = driver.on(stream);
      copies.write(word, 0);
      copies.await(word, 0);
      for (int peer = 0; peer < size; peer++) {
        long from = addresses[peer][addresses[peer].length - 1];
        copies.copy(found.data_ptr().address() + (long) peer * Long.BYTES, from, Long.BYTES);
      }
      stream.synchronize();
      long[] values = Tensors.longs(Tensors.to(Device.CPU, found));
      for (int peer = 0; peer < size; peer++) {
        if (values[peer] != all.get(peer).probe()) {
          throw new NoPeerAccessException(
              "what it reads of rank %s is not what lies there".formatted(peer));
        }
      }
    } catch (IllegalStateException e) {
      throw new NoPeerAccessException(e.getMessage());
    }
  }
}
