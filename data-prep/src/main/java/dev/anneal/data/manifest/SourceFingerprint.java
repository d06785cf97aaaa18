package dev.anneal.data.manifest;

import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage.FileInfo;
import java.util.List;

/**
 * What a source's files look like from outside, by which a changed source is noticed without being
 * read.
 *
 * @param files how many they are
 * @param bytes of all of them
 * @param sha256 over a line for each in the order of their paths: path, bytes and time of the last
 *     change; of files from the hub, whose path holds their commit, no time
 */
public record SourceFingerprint(int files, long bytes, String sha256) {

  /**
   * Takes it of files.
   *
   * @param root what paths begin with that does not count
   */
  public static SourceFingerprint of(List<FileInfo> files, String root) {
    Sha256 sha256 = new Sha256();
    for (FileInfo file : files) {
      String path = file.uri().substring(file.uri().startsWith(root) ? root.length() : 0);
      sha256.addLine(path, file.bytes(), file.modified());
    }
    long bytes = files.stream().mapToLong(FileInfo::bytes).sum();
    return new SourceFingerprint(files.size(), bytes, sha256.hex());
  }
}
