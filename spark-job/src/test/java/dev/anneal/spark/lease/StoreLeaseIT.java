package dev.anneal.spark.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Leases of folders on a real S3 server. */
class StoreLeaseIT {
  private static final int ROUNDS = 4;
  private static final GenerationLease.Timing QUICK =
      new GenerationLease.Timing(Duration.ofMillis(500), Duration.ofMillis(100));

  @TempDir static Path dir;

  private static S3Server server;
  private static FaultyStore store;

  @BeforeAll
  static void start() throws Exception {
    server = S3Server.start(dir);
    store = FaultyStore.before(server);
  }

  @AfterAll
  static void stop() throws IOException {
    store.close();
    server.close();
  }

  @Test
  void neverHasTwoOwnersWhenTwoComeAtTheSameMoment() throws Exception {
    List<RunFolder> folders = List.of(folder("contended"), folder("contended"));
    ExecutorService threads = Executors.newFixedThreadPool(folders.size());
    try {
      for (int round = 0; round < ROUNDS; round++) {
        CyclicBarrier together = new CyclicBarrier(folders.size());
        List<Callable<Optional<OutputLease>>> attempts = new ArrayList<>();
        for (RunFolder folder : folders) {
          LeaseRecord own = LeaseRecord.of("run-%s-%s".formatted(round, attempts.size()), here());
          attempts.add(
              () -> {
                together.await();
                return attempt(folder, own);
              });
        }
        List<OutputLease> owners = new ArrayList<>();
        for (Future<Optional<OutputLease>> outcome : threads.invokeAll(attempts)) {
          outcome.get().ifPresent(owners::add);
        }
        assertThat(owners).hasSize(1);
        assertThat(owners.get(0).isHeld()).isTrue();
        owners.get(0).close();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aRunThatTheStoreWasOutOfReachForLearnsThatAnotherHasTakenOver() throws Exception {
    Configuration impatient = StoreConfiguration.hadoop(store.endpoint());
    impatient.setInt("fs.s3a.retry.limit", 1);
    impatient.setInt("fs.s3a.attempts.maximum", 1);
    RunFolder first = new RunFolder(S3Server.uri("cut-off"), impatient);
    CompletableFuture<String> loss = new CompletableFuture<>();
    ProcessIdentity here = here();
    ProcessIdentity there =
        new ProcessIdentity("there", "there", here.pidNamespace(), here.pid(), here.startTicks());
    try (OutputLease cutOff =
        GenerationLease.acquire(first, LeaseRecord.of("a", there), QUICK, loss::complete)) {
      store.goAway();
      try (OutputLease next =
          GenerationLease.acquire(
              folder("cut-off"), LeaseRecord.of("b", here), QUICK, unexpected -> {})) {
        assertThatThrownBy(cutOff::isHeld).isInstanceOf(IOException.class);
        assertThat(loss).isNotDone();
        store.comeBack();
        assertThat(loss.get(60, TimeUnit.SECONDS)).contains(" was taken over by another run (");
        assertThat(cutOff.isHeld()).isFalse();
        assertThat(next.isHeld()).isTrue();
      }
    }
  }

  @Test
  void asksTheStoreThreeTimesWhetherItIsHeldAndListsNothing() throws Exception {
    GenerationLease.Timing calm =
        new GenerationLease.Timing(Duration.ofHours(1), Duration.ofMillis(1));
    RunFolder folder =
        new RunFolder(S3Server.uri("cheap"), StoreConfiguration.hadoop(store.endpoint()));
    store.forget();
    try (OutputLease lease =
        GenerationLease.acquire(folder, LeaseRecord.of("a", here()), calm, loss -> {})) {
      assertThat(store.operations(any -> true))
          .isEqualTo(Map.of("HeadObject", 2L, "PutObject", 1L, "GetObject", 1L));
      assertThat(store.requests())
          .filteredOn(request -> request.operation().equals("PutObject"))
          .allSatisfy(request -> assertThat(request.headers()).containsEntry("if-none-match", "*"));
      store.forget();
      assertThat(lease.isHeld()).isTrue();
      assertThat(store.operations(any -> true))
          .isEqualTo(Map.of("HeadObject", 2L, "GetObject", 1L));
    }
  }

  private static Optional<OutputLease> attempt(RunFolder folder, LeaseRecord own)
      throws IOException {
    try {
      return Optional.of(GenerationLease.acquire(folder, own, QUICK, loss -> {}));
    } catch (BadRequestException held) {
      return Optional.empty();
    }
  }

  private static RunFolder folder(String name) {
    return new RunFolder(S3Server.uri(name), StoreConfiguration.hadoop(server.endpoint()));
  }

  private static ProcessIdentity here() throws IOException {
    return ProcessIdentity.current();
  }
}
