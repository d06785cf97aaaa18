package dev.anneal.data.arrow;

import dev.anneal.data.DatasetManifest;
import dev.anneal.data.DatasetManifest.PartFile;
import dev.anneal.data.InvalidDataException;
import dev.anneal.data.io.Storage;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A split of a prepared data set by index. A file is opened when it is first read; the {@value
 * #MAX_OPEN_FILES} that were read last stay open, each with one record batch of at most 1 MiB of
 * ids where a sequence is not longer. For use by one thread.
 */
public final class PreparedDataset implements AutoCloseable {
  private static final int MAX_OPEN_FILES = 64;

  private final String datasetUri;
  private final Storage storage;
  private final List<PartFile> files;
  // index of the first sequence of each file, and behind the last file
  private final long[] starts;
  // by number, the one that was read last at the end
  private final Map<Integer, PreparedFile> open = new LinkedHashMap<>(16, 0.75f, true);

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
    return new PreparedDataset(datasetUri, storage, manifest.part(split).files());
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
    if (index < 0 || index >= size()) {
      throw new IndexOutOfBoundsException(index + " of " + size() + " sequences");
    }
    int file = fileOf(index);
    return opened(file).read(index - starts[file]);
  }

  @Override
  public void close() {
    while (!open.isEmpty()) {
      closeEldest();
    }
  }

  private PreparedFile opened(int number) {
    PreparedFile file = open.get(number);
    if (file == null) {
      if (open.size() == MAX_OPEN_FILES) {
        closeEldest();
      }
      PartFile part = files.get(number);
      file = PreparedFile.open(datasetUri + "/" + part.name(), part, storage);
      open.put(number, file);
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
