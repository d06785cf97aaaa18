package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Copies files of one commit: to a local file first, which is checked, then to their place. */
final class HubDownload {
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
      if (!client.known(name.repository(), commit, file).isIn(part)) {
        Files.delete(part);
        throw HubDigest.mismatch(file);
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

  /** Fetches what is missing of the file. */
  private void complete(Path part, HubFile file) throws IOException {
    long there = Files.size(part);
    boolean goesOn = there <= file.bytes();
    StandardOpenOption option =
        goesOn ? StandardOpenOption.APPEND : StandardOpenOption.TRUNCATE_EXISTING;
    try (OutputStream out = Files.newOutputStream(part, StandardOpenOption.WRITE, option)) {
      client
          .reader(name.repository(), commit, file)
          .read(
              goesOn ? there : 0,
              file.bytes(),
              (bytes, length, position) -> out.write(bytes, 0, length));
    }
  }

  // A digest of all that decides the content, so that no file name of the hub is used here.
  private String nameOf(HubFile file) {
    return Sha256.of(String.join("\n", name.repository().name(), commit, file.path()));
  }
}
