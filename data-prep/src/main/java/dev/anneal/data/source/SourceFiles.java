package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.hub.HubSource;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.util.List;

/** Finds the files of {@code data.source}. */
public final class SourceFiles {
  /** What the name of a table of Spark's catalogs stands behind. */
  public static final String TABLE_SCHEME = "table:";

  private SourceFiles() {}

  /** Whether a source is files that are where they are read, neither a table nor on the hub. */
  public static boolean areInPlace(String source) {
    return !source.startsWith(TABLE_SCHEME) && !HubSource.isHub(source);
  }

  /**
   * The files that a path, URI or glob names, or those of a data set on the hub, which are fetched
   * first.
   *
   * @param output folder of the run, below which copies from the hub are put
   * @return at least one file, sorted by path
   * @throws InvalidDataException if nothing matches or the place cannot be read
   */
  public static List<FileInfo> find(String source, String output, Storage storage) {
    if (HubSource.isHub(source)) {
      return HubSource.fetch(source, output, storage);
    }
    try {
      List<FileInfo> files = storage.list(source);
      if (files.isEmpty()) {
        throw new InvalidDataException(
            "data.source '" + source + "' matches no file: check the path or the glob.");
      }
      LakeTable.requireNone(files, storage);
      return files;
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidDataException(Storage.cannotRead(source, e), e);
    }
  }

  /**
   * A location with scheme and absolute path, so that it means the same on every machine.
   *
   * @throws InvalidDataException if there is no such file system
   */
  public static String qualified(String location, Storage storage) {
    try {
      return storage.qualify(location);
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(location, e), e);
    }
  }
}
