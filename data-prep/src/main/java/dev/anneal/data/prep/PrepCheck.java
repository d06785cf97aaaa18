package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.BadRowException;
import dev.anneal.data.prep.RowPreparer.Bad;
import dev.anneal.data.prep.RowPreparer.Kept;
import dev.anneal.data.prep.RowPreparer.Outcome;
import dev.anneal.data.prep.RowTally.LeftOut;
import dev.anneal.data.source.FileRange;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.data.source.SourceRow;
import dev.anneal.data.source.SourceRows;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.util.List;

/** Finds out on the driver, before a cluster is asked for, whether a preparation can succeed. */
public final class PrepCheck {
  private static final long SCANNED_PER_FILE = 64L << 20;
  private static final long SCANNED_IN_ALL = 256L << 20;

  private final PrepSpec spec;
  private final Storage storage;
  private final RowPreparer preparer;
  private final SourceScanner scanner;
  private long characters;
  private long badRows;
  private LeftOut firstBad;
  private boolean learns;
  private boolean complete = true;

  private PrepCheck(PrepSpec spec, RowPreparer preparer, Storage storage) {
    this.spec = spec;
    this.storage = storage;
    this.preparer = preparer;
    this.scanner = new SourceScanner(spec);
  }

  /**
   * What the scan saw.
   *
   * @param files of the source
   * @param rows that were scanned
   * @param badRows of these, those that will be left out as unreadable
   * @param complete whether every row was scanned; of files above 64 MiB only the start is, 256 MiB
   *     of all files, and of tables nothing
   */
  public record Report(int files, long rows, long badRows, boolean complete) {}

  static Report check(PrepSpec spec, RowPreparer preparer, Storage storage) {
    return new PrepCheck(spec, preparer, storage).scan();
  }

  private Report scan() {
    if (TableSource.isTable(spec.rows().source(), storage)) {
      // only Spark can read it
      return new Report(0, 0, 0, false);
    }
    List<FileInfo> files = SourceFiles.find(spec.rows().source(), spec.output(), storage);
    for (FileInfo file : files) {
      if (!scanner.limitReached()) {
        scan(file);
      }
    }
    refuseIfHopeless();
    return new Report(files.size(), scanner.rows(), badRows, complete);
  }

  private void scan(FileInfo file) {
    long end = Math.min(characters + SCANNED_PER_FILE, SCANNED_IN_ALL);
    for (FileRange range : FileRange.of(file, storage)) {
      if (scanner.limitReached()) {
        return;
      }
      if (characters > end) {
        complete = false;
        return;
      }
      scan(range, end);
    }
  }

  private void scan(FileRange range, long end) {
    try (SourceRows rows = scanner.next(range).open(storage)) {
      while (rows.hasNext()) {
        if (characters + rows.charactersRead() > end) {
          complete = false;
          break;
        }
        scan(rows.next());
      }
      characters += rows.charactersRead();
      scanner.pass(range, rows.taken());
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(range.file(), e), e);
    }
  }

  private void scan(SourceRow row) {
    String fault = faultOf(row);
    if (fault != null) {
      badRows++;
      if (firstBad == null) {
        firstBad = new LeftOut(row, fault);
      }
    }
  }

  /** Why the row is bad, or null; rows are tokenized until one is learned or if that is free. */
  private String faultOf(SourceRow row) {
    if (!learns || !spec.rows().format().needsTokenizer()) {
      Outcome outcome = preparer.prepare(row);
      learns = learns || outcome instanceof Kept;
      return outcome instanceof Bad bad ? bad.reason() : null;
    }
    try {
      preparer.parse(row);
      return null;
    } catch (BadRowException e) {
      return e.getMessage();
    }
  }

  private void refuseIfHopeless() {
    long rows = scanner.rows();
    if (rows == 0) {
      throw Refusals.noRows(spec);
    }
    if (Refusals.tooMany(spec, badRows, rows)) {
      throw Refusals.tooManyBadRows(spec, badRows, rows, firstBad);
    }
    if (!learns) {
      throw Refusals.nothingLearned(spec);
    }
    if (complete && rows - badRows <= spec.rows().evalRows()) {
      throw Refusals.tooFewRows(spec, rows - badRows);
    }
  }
}
