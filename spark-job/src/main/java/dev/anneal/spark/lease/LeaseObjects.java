package dev.anneal.spark.lease;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.storage.RunFolder;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;

/** The objects below {@code run.lock/}: what {@link GenerationLease} needs of a store. */
final class LeaseObjects {
  /** The last beat of a run that has ended in good order. */
  static final String LEFT = "left";

  private final RunFolder folder;

  LeaseObjects(RunFolder folder) {
    this.folder = folder;
  }

  /** The one that says who a generation is; written once. */
  static String claim(int generation) {
    return String.format(Locale.ROOT, "%s/%08d.json", RunFolder.LOCK, generation);
  }

  /** The one that a generation rewrites as long as it lives. */
  static String beat(int generation) {
    return String.format(Locale.ROOT, "%s/%08d.beat", RunFolder.LOCK, generation);
  }

  Optional<String> read(String name) throws IOException {
    try {
      return Optional.of(new String(folder.read(name), UTF_8));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    }
  }

  /** Makes an object that must not be there, see {@link dev.anneal.storage.Storage#createNew}. */
  void createNew(String name, String content) throws IOException {
    folder.createNew(name, content.getBytes(UTF_8));
  }

  void write(String name, String content) throws IOException {
    folder.write(name, content.getBytes(UTF_8));
  }
}
