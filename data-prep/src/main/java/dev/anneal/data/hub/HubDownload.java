package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Copies files of one commit: to a local file first, which is checked, then to their place. */
final class HubDownload {
  private static final int MAX_FRUITLESS_ATTEMPTS = 5;
  private static final long PAUSE_MILLIS = 200;

  private final HubClient client;
  private final HubName name;
  private final String commit;
  private final Path cache;
  private final Storage storage;

  HubDownload(HubClient client, HubName name, String commit, Path cache, Storage storage) {
    this.client = client;
    this.name = name;
    this.commit = commit;
    this.cache = cache;
    this.storage = storage;
  }

  /** Copies the file if it is not in its place; files appear there only when they are complete. */
  void copy(HubFile file, String location) throws IOException {
    if (storage.exists(location) && storage.size(location) == file.bytes()) {
      return;
    }
    makeCache();
    try (PartialFile partial = PartialFile.claim(cache, nameOf(file))) {
      Path part = partial.path();
      complete(part, file);
      if (!file.isIn(part)) {
        Files.delete(part);
        throw new IOException("'" + file.path() + "' came with another checksum than the hub says");
      }
      storage.write(location, out -> Files.copy(part, out));
      Files.delete(part);
    }
  }

  private void makeCache() {
    try {
      Files.createDirectories(cache);
      if (!Files.isWritable(cache)) {
        throw new AccessDeniedException(cache.toString());
      }
    } catch (IOException e) {
      throw new InvalidDataException(
          "The folder %s, which files of the hub come through, cannot be made or written (%s): let this user write there, or name another in spark.hadoop.%s."
              .formatted(cache, e, HubSource.CACHE_KEY),
          e);
    }
  }

  /** Fetches what is missing of the file, again and again as long as something comes. */
  private void complete(Path part, HubFile file) throws IOException {
    int fruitless = 0;
    while (Files.size(part) != file.bytes()) {
      long before = Files.size(part);
      try {
        append(part, file, before > file.bytes() ? 0 : before);
      } catch (IOException e) {
        fruitless = Files.size(part) > before ? 0 : fruitless + 1;
        if (fruitless == MAX_FRUITLESS_ATTEMPTS) {
          throw e;
        }
        pause(fruitless);
      }
    }
  }

  private void append(Path part, HubFile file, long start) throws IOException {
    HubClient.Content content = client.open(name, commit, file, start);
    boolean goesOn = start > 0 && content.start() == start;
    StandardOpenOption option =
        goesOn ? StandardOpenOption.APPEND : StandardOpenOption.TRUNCATE_EXISTING;
    try (InputStream in = content.in();
        OutputStream out = Files.newOutputStream(part, StandardOpenOption.WRITE, option)) {
      in.transferTo(out);
    }
    if (Files.size(part) != file.bytes()) {
      throw new IOException(
          "'%s' came with %s bytes, but the hub says %s"
              .formatted(file.path(), Files.size(part), file.bytes()));
    }
  }

  // A digest of all that decides the content, so that no file name of the hub is used here.
  private String nameOf(HubFile file) {
    return Sha256.of(String.join("\n", name.repository(), commit, file.path()));
  }

  private static void pause(int fruitless) throws IOException {
    try {
      Thread.sleep(PAUSE_MILLIS << fruitless);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
