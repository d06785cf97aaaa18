package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * A part of a file that one task reads. A line of JSON belongs to the range in which it begins, a
 * row group of Parquet to the range in which its middle lies; files of other forms are read whole.
 *
 * @param start first byte
 * @param end byte behind the last one
 */
public record FileRange(String file, FileForm form, long start, long end) implements Serializable {
  static final long END_OF_FILE = Long.MAX_VALUE;
  private static final long RANGE_BYTES = 64L << 20;

  /**
   * The ranges of a file, in order. They follow from the file alone.
   *
   * @throws InvalidDataException if the file cannot be read or is in no form that is known
   */
  public static List<FileRange> of(FileInfo file, Storage storage) {
    return of(file, RANGE_BYTES, storage);
  }

  static List<FileRange> of(FileInfo file, long rangeBytes, Storage storage) {
    try {
      FileForm form = FileForm.of(file.uri(), storage);
      return switch (form) {
        case PARQUET ->
            ranges(file.uri(), form, ParquetRowReader.rowGroups(file.uri(), rangeBytes, storage));
        case JSON_LINES ->
            ranges(
                file.uri(),
                form,
                Packing.isPacked(file.uri(), storage)
                    ? List.of(0L)
                    : multiples(rangeBytes, file.bytes()));
        default -> List.of(new FileRange(file.uri(), form, 0, END_OF_FILE));
      };
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(file.uri(), e), e);
    }
  }

  private static List<FileRange> ranges(String file, FileForm form, List<Long> starts) {
    List<FileRange> ranges = new ArrayList<>();
    for (int i = 0; i < starts.size(); i++) {
      long end = i + 1 < starts.size() ? starts.get(i + 1) : END_OF_FILE;
      ranges.add(new FileRange(file, form, starts.get(i), end));
    }
    return ranges;
  }

  private static List<Long> multiples(long step, long bytes) {
    List<Long> starts = new ArrayList<>(List.of(0L));
    for (long start = step; start < bytes; start += step) {
      starts.add(start);
    }
    return starts;
  }
}
