package dev.anneal.data;

import dev.anneal.data.source.SourceFiles;
import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage;
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

  static SourceFingerprint of(PrepSpec spec, List<FileInfo> files, Storage storage) {
    // copies from the hub lie below the output folder, which may be anywhere
    String root =
        SourceFiles.areInPlace(spec.rows().source())
            ? ""
            : SourceFiles.qualified(spec.output(), storage) + "/";
    Sha256 sha256 = new Sha256();
    for (FileInfo file : files) {
      String path = file.uri().substring(file.uri().startsWith(root) ? root.length() : 0);
      sha256.addLine(path, file.bytes(), file.modified());
    }
    long bytes = files.stream().mapToLong(FileInfo::bytes).sum();
    return new SourceFingerprint(files.size(), bytes, sha256.hex());
  }
}
