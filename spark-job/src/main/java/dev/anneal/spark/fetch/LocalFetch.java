package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubClient;
import dev.anneal.data.hub.HubFile;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.progress.Sizes;
import dev.anneal.storage.Futures;
import dev.anneal.training.io.Concurrently;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Fetches into a folder of this machine, several files and parts of a file at a time. */
final class LocalFetch {
  private static final int DIGESTS_AT_ONCE = 4;

  private final HubClient client;
  private final FetchRecord asked;
  private final WorkFolder work;
  private final FetchProgress progress;
  private final long partBytes;

  /**
   * @param asked repository and commit
   */
  LocalFetch(
      HubClient client,
      FetchRecord asked,
      WorkFolder work,
      FetchProgress progress,
      long partBytes) {
    this.partBytes = partBytes;
    this.client = client;
    this.asked = asked;
    this.work = work;
    this.progress = progress;
  }

  private record Part(PartedFile file, int number) {}

  /** What is done when nothing stands in the way any more. */
  interface Beginning {
    void run() throws IOException;
  }

  /**
   * Fetches all of the files, what was begun from there on.
   *
   * @param beginning done before anything comes
   * @throws BadRequestException if the disk has no room for them
   */
  void fetch(List<HubFile> files, int connections, Beginning beginning) throws IOException {
    List<PartedFile> parted = new ArrayList<>();
    for (HubFile file : files) {
      parted.add(PartedFile.open(file, work.path(), work.target().resolve(file.path()), partBytes));
    }
    long missing = parted.stream().mapToLong(PartedFile::missingBytes).sum();
    requireRoom(missing);
    beginning.run();
    progress.expect(missing);
    List<Part> parts = new ArrayList<>();
    parted.forEach(file -> file.missingParts().forEach(n -> parts.add(new Part(file, n))));
    try (Digests digests = new Digests()) {
      Concurrently.forEach(
          parts,
          connections,
          part -> {
            fetch(part);
            digests.submit(part.file);
          });
      digests.await();
    } finally {
      for (PartedFile file : parted) {
        file.close();
      }
    }
  }

  private void requireRoom(long bytes) throws IOException {
    long room = Files.getFileStore(work.path()).getUsableSpace();
    if (room < bytes) {
      throw new BadRequestException(
          "%s has room for %s, and %s are to come: free space there, or choose another folder."
              .formatted(work.target(), Sizes.of(room), Sizes.of(bytes)));
    }
  }

  private void fetch(Part part) throws IOException {
    part.file.fetch(
        part.number,
        client.reader(asked.repository(), asked.commit(), part.file.file()),
        progress::add);
  }

  /** Checksums, in threads of their own: a connection is not to wait for one. */
  private final class Digests implements AutoCloseable {
    private final ExecutorService threads =
        Executors.newFixedThreadPool(
            Math.min(DIGESTS_AT_ONCE, Runtime.getRuntime().availableProcessors()));

    private final Queue<Future<?>> results = new ConcurrentLinkedQueue<>();

    void submit(PartedFile file) {
      results.add(
          threads.submit(
              () -> {
                file.digest(asListed -> client.known(asked.repository(), asked.commit(), asListed));
                return null;
              }));
    }

    void await() throws IOException {
      for (Future<?> result : results) {
        Futures.await(result);
      }
    }

    /** Waits for what is under way, so that nobody closes a file beneath it. */
    @Override
    public void close() {
      threads.shutdown();
      boolean interrupted = false;
      boolean ended = false;
      while (!ended) {
        try {
          ended = threads.awaitTermination(1, TimeUnit.MINUTES);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
