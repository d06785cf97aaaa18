package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubClient;
import dev.anneal.data.hub.HubFile;
import dev.anneal.spark.BadRequestException;
import dev.anneal.training.io.Concurrently;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;

/** Fetches into a folder of this machine, several files and parts of a file at a time. */
final class LocalFetch {
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
    try {
      Concurrently.forEach(parts, connections, this::fetch);
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
              .formatted(work.target(), Bytes.of(room), Bytes.of(bytes)));
    }
  }

  private void fetch(Part part) throws IOException {
    part.file.fetch(
        part.number,
        client.reader(asked.repository(), asked.commit(), part.file.file()),
        asListed -> client.known(asked.repository(), asked.commit(), asListed),
        progress::add);
  }
}
