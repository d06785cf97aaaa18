package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.security.AccessControlException;

/**
 * A folder of Parquet files that is a table of Delta Lake, Iceberg or Hudi: its files hold deleted
 * and replaced rows too, and only the table's own format says which count.
 *
 * @param format as Spark's sources call it
 */
public record LakeTable(String format, String folder) {
  private static final List<String> COLUMNAR = List.of(".parquet", ".orc", ".avro");

  /**
   * The table that a source is the folder of.
   *
   * @throws InvalidDataException if the place cannot be read
   */
  public static Optional<LakeTable> at(String source, Storage storage) {
    if (!SourceFiles.areInPlace(source)) {
      return Optional.empty();
    }
    String folder = source.endsWith("/") ? source.substring(0, source.length() - 1) : source;
    try {
      return storage.exists(source)
          ? format(folder, storage).map(format -> new LakeTable(format, folder))
          : Optional.empty();
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidDataException(Storage.cannotRead(source, e), e);
    }
  }

  /**
   * Makes sure that files are not those of a table.
   *
   * @throws InvalidDataException if they are
   */
  static void requireNone(List<FileInfo> files, Storage storage) throws IOException {
    Set<String> seen = new HashSet<>();
    for (FileInfo file : files) {
      if (COLUMNAR.stream().noneMatch(file.uri()::endsWith)) {
        continue;
      }
      String folder = parent(file.uri());
      // partitions may be nested to any depth; above a folder that was seen all were
      while (folder != null && seen.add(folder)) {
        Optional<String> format = formatIfReadable(folder, storage);
        if (format.isPresent()) {
          throw new InvalidDataException(
              "'%s' is a file of the %s table '%s' and may hold deleted rows: set data.source to the folder of the table."
                  .formatted(file.uri(), format.get(), folder));
        }
        folder = parent(folder);
      }
    }
  }

  private static Optional<String> formatIfReadable(String folder, Storage storage)
      throws IOException {
    try {
      return format(folder, storage);
    } catch (AccessDeniedException | AccessControlException e) {
      // who may read a table may read its metadata
      return Optional.empty();
    }
  }

  private static Optional<String> format(String folder, Storage storage) throws IOException {
    if (storage.exists(folder + "/_delta_log")) {
      return Optional.of("delta");
    }
    if (storage.exists(folder + "/.hoodie")) {
      return Optional.of("hudi");
    }
    String metadata = folder + "/metadata";
    boolean iceberg =
        storage.exists(metadata)
            && storage.list(metadata).stream()
                .anyMatch(file -> file.uri().endsWith(".metadata.json"));
    return iceberg ? Optional.of("iceberg") : Optional.empty();
  }

  /** Null for the root of a file system. */
  private static String parent(String uri) {
    int slash = uri.lastIndexOf('/');
    boolean root = slash <= 0 || uri.charAt(slash - 1) == '/' || uri.charAt(slash - 1) == ':';
    return root ? null : uri.substring(0, slash);
  }
}
