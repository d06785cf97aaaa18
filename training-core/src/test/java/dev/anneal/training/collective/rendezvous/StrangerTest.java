package dev.anneal.training.collective.rendezvous;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.JavaProcess;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.ByteVector;
import org.bytedeco.pytorch.GlooDeviceVector;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.Store;
import org.bytedeco.pytorch.TCPStore;
import org.bytedeco.pytorch.TCPStoreOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a stranger can do who reaches the network of the ranks: nothing. */
class StrangerTest {
  // an address of this host that is not the one of the loopback listeners
  private static final String HOST = "127.0.0.2";
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @TempDir Path folder;

  @Test
  void onlyTheExpectedAddressesAreListenedOn() throws Exception {
    Path met = folder.resolve("met");
    try (JavaProcess ranks =
        JavaProcess.start(
            ServingRanks.class,
            folder.resolve("ranks.log"),
            List.of("-Xmx256m"),
            List.of(HOST, met.toString()))) {
      long deadline = System.nanoTime() + PATIENCE.toNanos() * 2;
      while (!Files.exists(met)) {
        assertThat(System.nanoTime()).as(ranks.output()).isLessThan(deadline);
        Thread.sleep(50);
      }
      List<String> addresses = ListeningSockets.of(ranks.pid());
      Set<String> distinct = new TreeSet<>(addresses);
      assertThat(distinct).containsExactly("127.0.0.1", HOST);
      // the store and one tunnel; the gate and what Gloo listens on
      assertThat(addresses).filteredOn("127.0.0.1"::equals).hasSize(2);
      assertThat(addresses).filteredOn(HOST::equals).hasSizeGreaterThanOrEqualTo(2);
    }
  }

  @Test
  void aStrangerReadsWritesAndListsNothing() {
    try (PointerScope scope = new PointerScope();
        RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE);
        RendezvousStore other = RendezvousStore.connect(store.address(), PATIENCE)) {
      Store mine = store.connection("run");
      mine.set("key", new ByteVector(new byte[] {1, 2, 3}));
      assertThatThrownBy(() -> strange(store.address()).set("run/key", new ByteVector(0)))
          .isInstanceOf(RuntimeException.class);
      assertThatThrownBy(() -> strange(store.address()).get("run/key"))
          .isInstanceOf(RuntimeException.class);
      assertThatThrownBy(() -> strange(store.address()).listKeys())
          .isInstanceOf(RuntimeException.class);
      // which a rank can
      assertThat(other.connection("run").get("key").get()).containsExactly(1, 2, 3);
    }
  }

  @Test
  void aWrongTokenIsRefusedAtOnce() throws IOException {
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE)) {
      StoreAddress address = store.address();
      StoreAddress wrong =
          new StoreAddress(address.host(), address.port(), SharedSecret.random().toText());
      long start = System.nanoTime();
      assertThatThrownBy(() -> RendezvousStore.connect(wrong, PATIENCE))
          .isInstanceOf(CollectiveException.class)
          .hasMessageContaining("it does not know the token of this run")
          .hasMessageNotContaining(wrong.token());
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(PATIENCE.dividedBy(2));
      // one that does not care who the gate is
      try (Socket socket = new Socket(address.host(), address.port())) {
        socket.getOutputStream().write(SharedSecret.nonce());
        socket.getInputStream().readNBytes(2 * SharedSecret.BYTES);
        socket.getOutputStream().write(SharedSecret.nonce());
        assertThat(socket.getInputStream().read()).isEqualTo(-1);
      }
    }
  }

  @Test
  void whatOneRankSaidOpensNothingForAnother() throws IOException {
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE)) {
      byte[] nonce = SharedSecret.nonce();
      byte[] proof;
      try (Socket rank = new Socket(store.address().host(), store.address().port())) {
        rank.getOutputStream().write(nonce);
        byte[] theirs = rank.getInputStream().readNBytes(SharedSecret.BYTES);
        rank.getInputStream().readNBytes(SharedSecret.BYTES);
        proof = store.secret().prove("rank", nonce, theirs);
        rank.getOutputStream().write(proof);
        assertThat(rank.getInputStream().read()).isEqualTo(1);
      }
      try (Socket replay = new Socket(store.address().host(), store.address().port())) {
        replay.getOutputStream().write(nonce);
        replay.getInputStream().readNBytes(2 * SharedSecret.BYTES);
        replay.getOutputStream().write(proof);
        assertThat(replay.getInputStream().read()).isEqualTo(-1);
      }
    }
  }

  @Test
  void silentStrangersKeepNobodyOut() throws IOException {
    List<Socket> strangers = new ArrayList<>();
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE)) {
      for (int i = 0; i < 1000; i++) {
        strangers.add(new Socket(store.address().host(), store.address().port()));
      }
      long start = System.nanoTime();
      try (RendezvousStore rank = RendezvousStore.connect(store.address(), PATIENCE)) {
        assertThat(rank.meet("here", 1, PATIENCE)).isTrue();
      }
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(PATIENCE.dividedBy(2));
    } finally {
      strangers.forEach(Relays::closeQuietly);
    }
  }

  @Test
  void aSlowStrangerIsSentAway() throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE);
        Socket slow = new Socket(store.address().host(), store.address().port())) {
      long start = System.nanoTime();
      slow.setSoTimeout(500);
      int answer = 0;
      while (answer != -1) {
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
        try {
          slow.getOutputStream().write(7);
          answer = slow.getInputStream().read();
        } catch (SocketTimeoutException e) {
          // still listened to
        } catch (IOException e) {
          return;
        }
      }
    }
  }

  @Test
  void aStrangerInTheMeshOfGlooIsNotTakenForARank() {
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE);
        RendezvousStore other = RendezvousStore.connect(store.address(), PATIENCE)) {
      CompletableFuture<Void> stranger = CompletableFuture.runAsync(() -> pretend(other));
      assertThatThrownBy(() -> GlooCollectives.join(store, HOST, 0, 2, PATIENCE))
          .isInstanceOf(CollectiveException.class)
          .hasMessageStartingWith("Rank 0 met a stranger in the place of rank 1");
      stranger.join();
    }
  }

  /** Takes part in what Gloo does, as rank 1, with bytes that prove nothing. */
  private static void pretend(RendezvousStore store) {
    try (TensorScope scope = new TensorScope()) {
      ProcessGroupGloo.Options options =
          ProcessGroupGloo.Options.create(new Milliseconds(PATIENCE.toMillis()));
      options.devices(new GlooDeviceVector(ProcessGroupGloo.createDeviceForHostname(HOST)));
      ProcessGroupGloo group = new ProcessGroupGloo(store.connection("gloo"), 1, 2, options);
      for (int i = 0; i < 2; i++) {
        Tensor anything = Tensors.ones(Device.CPU, ScalarType.Byte, 2L * SharedSecret.BYTES);
        Tensor received = Tensors.empty(ScalarType.Byte, 2L * SharedSecret.BYTES);
        group.alltoall_base(received, anything, new LongVector(), new LongVector())._wait();
      }
    }
  }

  /** A client of libtorch's own that knows the port and not the token. */
  private static TCPStore strange(StoreAddress address) {
    try (TCPStoreOptions options = new TCPStoreOptions();
        Milliseconds wait = new Milliseconds(1500)) {
      options.port((short) address.port()).isServer(false).waitWorkers(false).timeout(wait);
      return new TCPStore(address.host(), options);
    }
  }
}
