package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;

/** How a file holds its rows. Its first bytes tell, and for CSV its name. */
enum FileForm {
  JSON_ARRAY,
  JSON_LINES,
  CSV,
  TSV,
  PARQUET,
  ARROW_FILE,
  ARROW_STREAM;

  private static final byte[] PARQUET_MAGIC = {'P', 'A', 'R', '1'};
  private static final byte[] ARROW_FILE_MAGIC = {'A', 'R', 'R', 'O', 'W', '1'};
  private static final byte[] ARROW_STREAM_MAGIC = {-1, -1, -1, -1};

  /**
   * Looks into the file.
   *
   * @throws InvalidDataException if the file is in none of these forms
   */
  static FileForm of(String file, Storage storage) throws IOException {
    try (BufferedInputStream in = SourceStream.open(file, storage)) {
      in.mark(ARROW_FILE_MAGIC.length);
      byte[] magic = in.readNBytes(ARROW_FILE_MAGIC.length);
      in.reset();
      if (startsWith(magic, PARQUET_MAGIC)) {
        return PARQUET;
      }
      if (startsWith(magic, ARROW_FILE_MAGIC)) {
        return ARROW_FILE;
      }
      if (startsWith(magic, ARROW_STREAM_MAGIC)) {
        return ARROW_STREAM;
      }
      return ofText(file, in);
    }
  }

  private static FileForm ofText(String file, BufferedInputStream in) throws IOException {
    String name = file.toLowerCase(Locale.ROOT).replaceAll(Packing.SUFFIXES, "");
    if (name.endsWith(".csv")) {
      return CSV;
    }
    if (name.endsWith(".tsv")) {
      return TSV;
    }
    return switch (SourceStream.firstCharacter(in)) {
      case '[' -> JSON_ARRAY;
      case '{', -1 -> JSON_LINES;
      default ->
          throw new InvalidDataException(
              "'"
                  + file
                  + "' is not JSON in UTF-8 (line 1): it must begin with '[' (a JSON array) or '{'"
                  + " (JSON lines), be Parquet or Arrow, or be named .csv or .tsv.");
    };
  }

  private static boolean startsWith(byte[] bytes, byte[] prefix) {
    return bytes.length >= prefix.length
        && Arrays.equals(bytes, 0, prefix.length, prefix, 0, prefix.length);
  }
}
