package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/**
 * A data set of the Hugging Face hub, copied to where all executors reach it. What is there already
 * is not fetched again; a copy that was interrupted goes on where it stopped.
 */
public final class HubSource {
  /** Hadoop configuration: another hub than that of the environment variable HF_ENDPOINT. */
  static final String ENDPOINT_KEY = "anneal.hub.endpoint";

  /** Hadoop configuration: local folder of unfinished copies. */
  static final String CACHE_KEY = "anneal.hub.cache";

  private static final Patience PATIENCE =
      new Patience(5, Duration.ofMillis(400), Duration.ofMinutes(10));

  private HubSource() {}

  /** Whether a source is on the hub. */
  public static boolean isHub(String source) {
    return source.startsWith(HubName.SCHEME);
  }

  /**
   * The hub that data sets come from.
   *
   * @throws InvalidDataException if what is set is no address
   */
  public static URI endpoint(Configuration conf) {
    return HubEnvironment.ofProcess(conf).endpoint();
  }

  /**
   * Copies the files of a data set into {@code <output>/hub/<org>/<name>/<commit>}.
   *
   * @return the copies, at least one, sorted by path
   * @throws InvalidDataException if the data set is not there, may not be read or has no data files
   * @throws UncheckedIOException if hub or storage fail on the way; another run goes on from there
   */
  public static List<FileInfo> fetch(String source, String output, Storage storage) {
    Configuration conf = storage.configuration();
    HubClient client = new HubClient(HubEnvironment.ofProcess(conf), PATIENCE);
    Path cache =
        Path.of(conf.get(CACHE_KEY, System.getProperty("user.home") + "/.cache/anneal/hub"));
    return fetch(HubName.parse(source), output, client, cache, storage);
  }

  static List<FileInfo> fetch(
      HubName name, String output, HubClient client, Path cache, Storage storage) {
    try {
      if (client.isOffline()) {
        return complete(name, output, storage);
      }
      String commit = client.commit(name.repository(), name.revision());
      List<HubFile> files = new ArrayList<>(name.choose(client.files(name.repository(), commit)));
      files.sort(Comparator.comparing(HubFile::path));
      if (files.isEmpty()) {
        throw new InvalidDataException(
            "The data set '"
                + name.repository().name()
                + "' has no file "
                + (name.glob() == null ? "of rows" : "that '" + name.glob() + "' matches")
                + ": name the files behind it, as in hub:datasets/ORG/NAME/data/*.parquet.");
      }
      String folder = folder(name, output) + "/" + commit;
      HubDownload download = new HubDownload(client, name, commit, cache, storage);
      List<FileInfo> copies = new ArrayList<>();
      for (HubFile file : files) {
        String location = storage.qualify(folder + "/" + file.path());
        download.copy(file, location);
        copies.add(new FileInfo(location, file.bytes()));
      }
      write(commit, files, list(name, output), storage);
      return copies;
    } catch (IOException e) {
      throw new UncheckedIOException(
          "The data set '"
              + name.repository().name()
              + "' could not be fetched from the hub ("
              + e.getMessage()
              + "): run again, and it goes on from there.",
          e);
    }
  }

  private static String folder(HubName name, String output) {
    return (output.endsWith("/") ? output : output + "/") + "hub/" + name.repository().name();
  }

  /** Where it is written down which files a complete copy has. */
  private static String list(HubName name, String output) {
    return folder(name, output) + "/.complete-" + Sha256.of(name.revision() + "\n" + name.glob());
  }

  private static void write(String commit, List<HubFile> files, String list, Storage storage)
      throws IOException {
    StringBuilder lines = new StringBuilder();
    files.forEach(
        file ->
            lines
                .append(file.bytes())
                .append(' ')
                .append(commit)
                .append('/')
                .append(file.path())
                .append('\n'));
    byte[] bytes = lines.toString().getBytes(StandardCharsets.UTF_8);
    storage.write(list, out -> out.write(bytes));
  }

  /** A copy that needs no hub. */
  private static List<FileInfo> complete(HubName name, String output, Storage storage)
      throws IOException {
    List<FileInfo> copies = new ArrayList<>();
    String list = list(name, output);
    if (storage.exists(list)) {
      try (InputStream in = storage.open(list)) {
        String lines = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        for (String line : lines.lines().toList()) {
          String[] parts = line.split(" ", 2);
          String location = storage.qualify(folder(name, output) + "/" + parts[1]);
          copies.add(new FileInfo(location, Long.parseLong(parts[0])));
        }
      }
    }
    boolean isWhole = !copies.isEmpty();
    for (FileInfo copy : copies) {
      isWhole &= storage.exists(copy.uri()) && storage.size(copy.uri()) == copy.bytes();
    }
    if (!isWhole) {
      throw new InvalidDataException(
          "HF_HUB_OFFLINE is set, and %s has no complete copy of the data set '%s' at '%s': unset it."
              .formatted(output, name.repository().name(), name.revision()));
    }
    return copies;
  }
}
