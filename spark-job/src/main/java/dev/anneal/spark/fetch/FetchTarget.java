package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubFile;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Optional;
import org.apache.hadoop.fs.Path;

/**
 * The folder that files of the hub are brought to.
 *
 * @param location with its scheme
 */
record FetchTarget(String location, Storage storage) implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Folder of what is under way. */
  static final String WORK = ".anneal-fetch";

  static FetchTarget of(String output, Storage storage) {
    try {
      return new FetchTarget(storage.qualify(output), storage);
    } catch (IOException e) {
      throw new BadRequestException(
          "--output %s is no place to write to (%s): name a folder or a URI."
              .formatted(output, e.getMessage()),
          e);
    }
  }

  boolean isLocal() {
    return RunFolder.isLocal(location);
  }

  String display() {
    return RunFolder.display(location);
  }

  String child(String name) {
    return location.endsWith("/") ? location + name : location + "/" + name;
  }

  FetchTarget below(String name) {
    return new FetchTarget(child(name), storage);
  }

  /** Size of a file; -1 where it is not there. */
  long size(HubFile file) throws IOException {
    try {
      return storage.size(child(file.path()));
    } catch (FileNotFoundException e) {
      return -1;
    }
  }

  /** Whether the first folder or file of a path is Anneal's own. */
  static boolean isOwn(String path) {
    String first = path.split("/", 2)[0];
    return first.equals(FetchRecord.NAME) || first.equals(WORK);
  }

  /** Whether anything stands here that Anneal has no record of: files, folders, hidden ones. */
  boolean hasOthersFiles() throws IOException {
    Path folder = new Path(location);
    try {
      return Arrays.stream(folder.getFileSystem(storage.configuration()).listStatus(folder))
          .anyMatch(file -> !isOwn(file.getPath().getName()));
    } catch (FileNotFoundException e) {
      return false;
    }
  }

  Optional<FetchRecord> record() throws IOException {
    if (!storage.exists(child(FetchRecord.NAME))) {
      return Optional.empty();
    }
    try (InputStream in = storage.open(child(FetchRecord.NAME))) {
      return Optional.of(FetchRecord.read(in.readAllBytes(), display()));
    }
  }

  void write(FetchRecord record) throws IOException {
    byte[] json = record.json();
    storage.write(child(FetchRecord.NAME), out -> out.write(json));
  }
}
