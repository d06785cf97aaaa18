package dev.anneal.data.prep;

import dev.anneal.storage.Storage.FileInfo;
import java.io.Serializable;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What rows come from that do not say it themselves: the name of their file, below the folder that
 * all files have in common, without suffixes of formats and compressions and numbers of shards.
 * Files that differ in these alone are one source.
 *
 * @param byFile names by URI; none where all rows come from the same
 */
record FileSources(Map<String, String> byFile) implements Serializable {
  private static final long serialVersionUID = 1L;

  /** For rows that come from no file, or from one. */
  static final FileSources NONE = new FileSources(Map.of());

  /** As Spark names what its tasks write. */
  private static final Pattern TASK_FILE = Pattern.compile("part-\\d+.*");

  /** Spark names the compression before the format, others behind it. */
  private static final Pattern SUFFIXES =
      Pattern.compile(
          "COMPRESSED(\\.(jsonl|json|ndjson|csv|tsv|parquet|arrow|feather|txt))?COMPRESSED$"
              .replace("COMPRESSED", "(\\.(gz|bz2|xz|zst|snappy|lz4|deflate))?"),
          Pattern.CASE_INSENSITIVE);

  /** With a hash behind it, as the hub named shards; shorter numbers are years and versions. */
  private static final Pattern SHARD =
      Pattern.compile("[-_](\\d+[-_]of[-_]\\d+(-[0-9a-f]{16})?|\\d{5,})$");

  static FileSources of(List<FileInfo> files) {
    List<String> uris = files.stream().map(FileInfo::uri).toList();
    int common = commonFolder(uris);
    Map<String, String> names = new HashMap<>();
    for (String uri : uris) {
      names.put(uri, name(uri.substring(common)));
    }
    return new HashSet<>(names.values()).size() > 1 ? new FileSources(names) : NONE;
  }

  /** The name of a file's source; empty where there is nothing to tell apart. */
  String of(String file) {
    return byFile.getOrDefault(file, "");
  }

  /** Length of what all URIs begin with, up to a slash. */
  private static int commonFolder(List<String> uris) {
    String first = uris.isEmpty() ? "" : uris.get(0);
    int common = first.lastIndexOf('/') + 1;
    for (String uri : uris) {
      while (!uri.startsWith(first.substring(0, common))) {
        common = first.lastIndexOf('/', common - 2) + 1;
      }
    }
    return common;
  }

  private static String name(String path) {
    int slash = path.lastIndexOf('/');
    String folder = slash < 0 ? "" : path.substring(0, slash);
    String file = path.substring(slash + 1);
    String stem = SUFFIXES.matcher(file).replaceFirst("");
    String name = TASK_FILE.matcher(stem).matches() ? "" : SHARD.matcher(stem).replaceFirst("");
    if (folder.isEmpty() || name.isEmpty()) {
      return folder + name;
    }
    return folder + "/" + name;
  }
}
