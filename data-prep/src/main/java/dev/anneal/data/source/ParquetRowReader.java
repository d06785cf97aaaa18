package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;

/** Rows of the row groups of a Parquet file. */
final class ParquetRowReader extends RowReader {
  private final String file;
  private final ParquetReader<Group> reader;
  private long row;

  private ParquetRowReader(String file, ParquetReader<Group> reader) {
    this.file = file;
    this.reader = reader;
  }

  static ParquetRowReader of(FileRange range, Storage storage) throws IOException {
    ParquetReader<Group> reader =
        ParquetReader.builder(new GroupReadSupport(), new Path(range.file()))
            .withConf(storage.configuration())
            .withFileRange(range.start(), range.end())
            .build();
    return new ParquetRowReader(range.file(), reader);
  }

  /** Where the ranges of a file begin that hold whole row groups of about that many bytes. */
  static List<Long> rowGroups(String file, long rangeBytes, Storage storage) throws IOException {
    HadoopInputFile input = HadoopInputFile.fromPath(new Path(file), storage.configuration());
    // without options it would read Hadoop's configuration files anew
    ParquetReadOptions options = HadoopReadOptions.builder(storage.configuration()).build();
    try (ParquetFileReader reader = ParquetFileReader.open(input, options)) {
      List<Long> starts = new ArrayList<>(List.of(0L));
      for (BlockMetaData group : reader.getRowGroups()) {
        if (group.getStartingPos() - starts.get(starts.size() - 1) >= rangeBytes) {
          starts.add(group.getStartingPos());
        }
      }
      return starts;
    } catch (RuntimeException e) {
      throw broken(file, "its footer", Damage.of(e), e);
    }
  }

  @Override
  Row read() {
    row++;
    try {
      Group group = reader.read();
      return group == null ? null : JsonRows.row(out -> ParquetJson.write(out, group));
    } catch (IOException e) {
      if (isOfTheStorage(e)) {
        throw stopped(file, e);
      }
      throw brokenRow(e);
    } catch (RuntimeException e) {
      throw brokenRow(e);
    } catch (OutOfMemoryError e) {
      throw lengthOrMemory(e);
    }
  }

  /** No memory holds a length that no array has; whatever else is missing is not the file's. */
  private RuntimeException lengthOrMemory(OutOfMemoryError e) {
    if (String.valueOf(e.getMessage()).startsWith("Requested array size exceeds")) {
      return brokenRow(e);
    }
    throw e;
  }

  /** Whether the file could not be read; what could be read and not understood has its cause. */
  private static boolean isOfTheStorage(IOException e) {
    if (e instanceof EOFException) {
      return false;
    }
    return e.getCause() == null
        || Stream.iterate(e.getCause(), Objects::nonNull, Throwable::getCause)
            .anyMatch(IOException.class::isInstance);
  }

  private InvalidDataException brokenRow(Throwable e) {
    return broken(file, "row " + row + " of a row group", Damage.of(e), e);
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
