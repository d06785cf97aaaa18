package dev.anneal.data.source;

import dev.anneal.data.InvalidDataException;
import dev.anneal.data.io.Storage;
import dev.anneal.data.io.Storage.FileInfo;
import java.io.IOException;
import java.util.List;

/** Finds the files of {@code data.source}. */
public final class SourceFiles {
  private SourceFiles() {}

  /**
   * The files that a path, URI or glob names.
   *
   * @return at least one file, sorted by path
   * @throws InvalidDataException if nothing matches or the place cannot be read
   */
  public static List<FileInfo> find(String source, Storage storage) {
    try {
      List<FileInfo> files = storage.list(source);
      if (files.isEmpty()) {
        throw new InvalidDataException(
            "data.source '" + source + "' matches no file: check the path or the glob.");
      }
      return files;
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidDataException(Storage.cannotRead(source, e), e);
    }
  }
}
