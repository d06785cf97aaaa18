package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.util.List;

/**
 * Rows of a CSV file as RFC 4180 has them: the first record names the columns, a field in quotes
 * may hold delimiters, line ends and doubled quotes. All values are texts.
 */
final class CsvReader extends RowReader {
  private final String file;
  private final char delimiter;
  private final LineReader lines;
  private List<String> columns;
  private long row;

  private CsvReader(String file, char delimiter, LineReader lines) {
    this.file = file;
    this.delimiter = delimiter;
    this.lines = lines;
  }

  static CsvReader of(String file, char delimiter, Storage storage) throws IOException {
    BufferedInputStream in = SourceStream.skipByteOrderMark(SourceStream.open(file, storage));
    CsvReader reader = new CsvReader(file, delimiter, new LineReader(in, 0, FileRange.END_OF_FILE));
    try {
      reader.readHeader();
      return reader;
    } catch (RuntimeException e) {
      in.close();
      throw e;
    }
  }

  @Override
  Row read() {
    row++;
    CsvRecord record = new CsvRecord(delimiter);
    String fault = fill(record);
    if (record.fields().isEmpty()) {
      return null;
    }
    if (fault == null && record.fields().size() != columns.size()) {
      fault = "the row has another number of fields than the first line";
    }
    return fault == null ? json(record.fields()) : new Row(record.text(), fault);
  }

  @Override
  public void close() throws IOException {
    lines.close();
  }

  private void readHeader() {
    CsvRecord record = new CsvRecord(delimiter);
    String fault = fill(record);
    columns = record.fields();
    if (fault != null || columns.stream().distinct().count() < columns.size()) {
      throw new InvalidDataException(
          "'"
              + file
              + "' must begin with a line of column names in UTF-8, each given once: write one.");
    }
  }

  /** Reads the next record, which stays empty behind the last one; returns its fault or null. */
  private String fill(CsvRecord record) {
    try {
      do {
        if (!lines.next()) {
          return null;
        }
      } while (lines.isBlank());
      String fault = null;
      String lineEnd = null;
      while (true) {
        String line = lines.text();
        if (lines.isCut()) {
          fault = "the row is longer than 64 MiB";
        } else if (!lines.isUtf8(line)) {
          fault = "the row is not UTF-8";
        }
        if (lineEnd == null) {
          record.add(line);
        } else {
          record.add(lineEnd, line);
        }
        if (!record.isOpen()) {
          break;
        }
        lineEnd = lines.end();
        if (!lines.next() || record.length() > LineReader.MAX_LINE_BYTES) {
          throw broken(file, "row " + row, "a quote is never closed", null);
        }
      }
      return fault == null && record.isMalformed()
          ? "a field goes on behind its closing quote"
          : fault;
    } catch (IOException e) {
      throw stopped(file, e);
    }
  }

  private Row json(List<String> values) {
    try {
      return JsonRows.row(
          out -> {
            out.writeStartObject();
            for (int i = 0; i < values.size(); i++) {
              out.writeStringField(columns.get(i), values.get(i));
            }
            out.writeEndObject();
          });
    } catch (IOException e) {
      throw new IllegalStateException("texts in memory can be written", e);
    }
  }
}
