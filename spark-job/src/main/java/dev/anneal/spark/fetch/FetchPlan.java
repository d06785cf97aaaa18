package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubFile;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request.Existing;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What has to be done for a request, given what stands in the folder.
 *
 * @param record what the folder is to hold
 * @param wanted files of the request
 * @param missing those of them that are not there yet
 * @param obsolete paths of what stands there and is not wanted, or not known to be right: to be
 *     removed before the record tells of the new commit
 * @param isDone whether all of it was done before
 */
record FetchPlan(
    FetchRecord record,
    List<HubFile> wanted,
    List<HubFile> missing,
    List<String> obsolete,
    boolean isDone) {

  long missingBytes() {
    return missing.stream().mapToLong(HubFile::bytes).sum();
  }

  /**
   * Compares the request with the folder.
   *
   * @param asked the request, with its commit and the files that are wanted
   * @param unverified paths of files that an earlier fetch may have put there and not yet read
   *     again, with their checksums
   * @throws BadRequestException if something stands there that nobody has asked to replace
   */
  static FetchPlan of(
      FetchRecord asked, FetchTarget target, Existing existing, Map<String, String> unverified)
      throws IOException {
    Optional<FetchRecord> earlier = target.record();
    boolean same = earlier.map(record -> isSame(record, asked)).orElse(false);
    if (existing == Existing.KEEP && !same) {
      requireFree(target, earlier);
    }
    List<HubFile> missing = new ArrayList<>();
    for (HubFile file : asked.files()) {
      if (unverified.containsKey(file.path()) || !isThere(file, target, earlier)) {
        missing.add(file);
      }
    }
    if (existing == Existing.KEEP) {
      requireFree(
          target, missing.stream().filter(file -> !unverified.containsKey(file.path())).toList());
    }
    Set<String> wanted = asked.files().stream().map(HubFile::path).collect(Collectors.toSet());
    List<HubFile> others =
        earlier.map(FetchRecord::files).orElse(List.of()).stream()
            .filter(file -> !wanted.contains(file.path()))
            .toList();
    List<HubFile> all = new ArrayList<>(asked.files());
    if (same) {
      for (HubFile file : others) {
        if (!unverified.containsKey(file.path()) && isThere(file, target, earlier)) {
          all.add(file);
        }
      }
    }
    List<String> obsolete = new ArrayList<>();
    for (HubFile file : others) {
      if (!same || unverified.containsKey(file.path())) {
        obsolete.add(file.path());
      }
    }
    for (HubFile file : missing) {
      // what an upload of the same content has left is read again
      if (!file.checksum().equals(unverified.get(file.path())) && target.size(file) >= 0) {
        obsolete.add(file.path());
      }
    }
    return new FetchPlan(
        asked.with(all),
        asked.files(),
        missing,
        obsolete,
        same && missing.isEmpty() && earlier.get().isComplete());
  }

  private static boolean isSame(FetchRecord earlier, FetchRecord asked) {
    return earlier.repository().equals(asked.repository())
        && earlier.commit().equals(asked.commit());
  }

  // names appear only when their content has been checked, and what stood there was removed before
  private static boolean isThere(HubFile file, FetchTarget target, Optional<FetchRecord> earlier)
      throws IOException {
    return earlier.isPresent() && earlier.get().has(file) && target.size(file) == file.bytes();
  }

  private static void requireFree(FetchTarget target, Optional<FetchRecord> earlier)
      throws IOException {
    if (earlier.isPresent()) {
      throw new BadRequestException(
          "%s holds the %s at commit %s: choose another folder, or replace it with --overwrite."
              .formatted(
                  target.display(), earlier.get().repository().display(), earlier.get().commit()));
    }
    if (target.hasOthersFiles()) {
      throw new BadRequestException(
          "%s holds files that were not fetched: choose another folder, or add --overwrite to fetch into it."
              .formatted(target.display()));
    }
  }

  private static void requireFree(FetchTarget target, List<HubFile> missing) throws IOException {
    for (HubFile file : missing) {
      if (target.size(file) >= 0) {
        throw new BadRequestException(
            "%s stands already and is not what the hub has: choose another folder, or replace it with --overwrite."
                .formatted(target.display() + "/" + file.path()));
      }
    }
  }
}
