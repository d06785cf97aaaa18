package dev.anneal.data.arrow;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetManifest.PartFile;
import dev.anneal.data.manifest.Split;
import dev.anneal.storage.Storage;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A split of a prepared data set by index: every sequence is found without reading those before it.
 * Local files are mapped into memory. Of remote ones the record batches that were read last are
 * held, of at most 1 MiB of ids where a sequence is not longer; the next one of a file that is read
 * in order and those that {@link #expect} names are brought ahead. For use by one thread.
 */
public final class PreparedDataset implements AutoCloseable {
  private static final int MAX_OPEN_FILES = 64;
  // a map takes no file descriptor, and the system allows 65,530 of them
  private static final int MAX_MAPPED_FILES = 4096;

  private final String datasetUri;
  private final Storage storage;
  private final List<PartFile> files;
  // index of the first sequence of each file, and behind the last file
  private final long[] starts;
  // by number, the one that was read last at the end
  private final Map<Integer, PreparedFile> open = new LinkedHashMap<>(16, 0.75f, true);
  private final BatchCache remote = new BatchCache();
  // what the first file that is opened tells of all: asking each would wait for its read-ahead
  private int batchRows;
  private boolean mapped;
  private int lastFile = -1;
  private int lastBatch;

  private PreparedDataset(String datasetUri, Storage storage, List<PartFile> files) {
    this.datasetUri = datasetUri;
    this.storage = storage;
    this.files = files;
    this.starts = new long[files.size() + 1];
    for (int i = 0; i < files.size(); i++) {
      starts[i + 1] = starts[i] + files.get(i).sequences();
    }
  }

  /**
   * Opens a split; only the manifest is read.
   *
   * @param datasetUri folder that holds {@code dataset.json}
   * @throws InvalidDataException if the data set is incomplete or of another version
   */
  public static PreparedDataset open(String datasetUri, Split split, Storage storage) {
    DatasetManifest manifest = DatasetManifest.read(datasetUri, storage);
    return of(datasetUri, manifest.part(split).files(), storage);
  }

  /** Some files of a data set as if they were all; nothing is read. */
  public static PreparedDataset of(String datasetUri, List<PartFile> files, Storage storage) {
    return new PreparedDataset(datasetUri, storage, files);
  }

  /** How many sequences the split holds. */
  public long size() {
    return starts[files.size()];
  }

  /**
   * Reads the sequence of that number.
   *
   * @throws InvalidDataException if the file is truncated or damaged
   */
  public PreparedSequence read(long index) {
    int number = fileOf(index);
    PreparedFile file = opened(number);
    long row = index - starts[number];
    int batch = (int) (row / batchRows);
    SequenceBatch sequences = mapped ? file.batch(batch) : readAndLookAhead(number, file, batch);
    try {
      return sequences.read((int) (row % batchRows));
    } catch (RuntimeException e) {
      throw file.unreadable(e);
    }
  }

  /** Where a sequence stands: its file, and its row there, counted from 0. */
  public String placeOf(long index) {
    int number = fileOf(index);
    return "%s row %s".formatted(files.get(number).name(), index - starts[number]);
  }

  /**
   * Says which sequences will be read next, so that remote ones are on their way meanwhile. Of very
   * many only the first ones are fetched.
   */
  public void expect(long... indices) {
    Arrays.stream(indices).limit(BatchCache.MAX_BATCHES / 2).forEach(this::expect);
  }

  private void expect(long index) {
    int number = fileOf(index);
    PreparedFile file = opened(number);
    if (!mapped) {
      remote.expect(file, (int) ((index - starts[number]) / batchRows));
    }
  }

  private SequenceBatch readAndLookAhead(int number, PreparedFile file, int batch) {
    SequenceBatch read = remote.read(file, batch);
    boolean inOrder = number == lastFile ? batch == lastBatch + 1 : batch == 0;
    if (inOrder && (batch + 1L) * batchRows < files.get(number).sequences()) {
      remote.expect(file, batch + 1);
    }
    lastFile = number;
    lastBatch = batch;
    return read;
  }

  @Override
  public void close() {
    remote.close();
    while (!open.isEmpty()) {
      closeEldest();
    }
  }

  private PreparedFile opened(int number) {
    PreparedFile file = open.get(number);
    if (file == null) {
      if (open.size() == (mapped ? MAX_MAPPED_FILES : MAX_OPEN_FILES)) {
        closeEldest();
      }
      PartFile part = files.get(number);
      file = new PreparedFile(datasetUri + "/" + part.name(), part, storage);
      open.put(number, file);
    }
    if (batchRows == 0) {
      mapped = file.isMapped();
      batchRows = file.batchRows();
    }
    return file;
  }

  private void closeEldest() {
    Iterator<PreparedFile> eldest = open.values().iterator();
    PreparedFile file = eldest.next();
    eldest.remove();
    file.close();
  }

  // Empty files share their start with the next one: the last of them holds the sequence.
  private int fileOf(long index) {
    if (index < 0 || index >= size()) {
      throw new IndexOutOfBoundsException(index + " of " + size() + " sequences");
    }
    int found = Arrays.binarySearch(starts, index);
    if (found < 0) {
      return -found - 2;
    }
    while (starts[found + 1] == index) {
      found++;
    }
    return found;
  }
}
