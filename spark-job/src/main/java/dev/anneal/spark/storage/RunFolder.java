package dev.anneal.spark.storage;

import dev.anneal.spark.Request;
import dev.anneal.storage.Storage;
import dev.anneal.training.io.Sha256;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/** The output folder of a run, on any file system that Hadoop knows; it travels to executors. */
public final class RunFolder implements Serializable {
  private static final long serialVersionUID = 1L;

  public static final String DATASET = "dataset";

  /** What is evaluated on, where that is a data set of its own. */
  public static final String EVAL_DATASET = "eval-dataset";

  public static final String ADAPTER = "adapter";
  public static final String MODEL = "model";

  /** Model and adapter as one. */
  public static final String MERGED = "merged";

  public static final String METRICS = "metrics.jsonl";

  /** Where the first lines of a long {@link #METRICS} lie while a run goes on. */
  public static final String METRICS_SEGMENTS = "metrics.segments";

  /** How held-out prompts were continued, of a run that was evaluated on its way. */
  public static final String SAMPLES = "samples.json";

  public static final String RECORD = "run.json";

  /** The page of the run. */
  public static final String REPORT = "report.html";

  public static final String LOCK = "run.lock";

  /** Which run of MLflow's this one is. */
  public static final String MLFLOW = "mlflow.json";

  /** Event files of TensorBoard's. */
  public static final String TENSORBOARD = "tensorboard";

  /** What ranks did in a few steps. */
  public static final String PROFILE = "profile";

  /** Copies of data sets of the hub. */
  private static final String HUB = "hub";

  /** Checkpoints, a folder each. */
  public static final String CHECKPOINTS = "checkpoints";

  /** What attempts at the training stage leave for the driver to publish. */
  public static final String ATTEMPTS = "_attempts";

  private final String location;
  private final SerializableConfiguration hadoop;

  /** {@code null} where nothing is asked, as on executors. */
  private final transient Guard guard;

  public RunFolder(String location, Configuration hadoop) {
    this(location, new SerializableConfiguration(hadoop), null);
  }

  private RunFolder(String location, SerializableConfiguration hadoop, Guard guard) {
    this.location = location;
    this.hadoop = hadoop;
    this.guard = guard;
  }

  /** Asked before this process changes something in the folder. */
  @FunctionalInterface
  public interface Guard {
    /** Throws where it may not. */
    void check() throws IOException;
  }

  /** The same folder, in which nothing is changed that {@code guard} does not let pass. */
  public RunFolder guardedBy(Guard guard) {
    return new RunFolder(location, hadoop, guard);
  }

  /** Folder of the result. */
  public static String resultOf(TrainingSpec.Mode mode) {
    return switch (mode) {
      case LORA -> ADAPTER;
      case FULL -> MODEL;
    };
  }

  /** Folder of the checkpoint that is taken after {@code step} steps. */
  public static String checkpoint(long step) {
    return String.format(Locale.ROOT, "%s/step-%08d", CHECKPOINTS, step);
  }

  /** The folders in it that a command makes anew. */
  public static List<String> foldersMadeBy(Request.Command command) {
    List<String> trained =
        List.of(ADAPTER, MODEL, MERGED, CHECKPOINTS, ATTEMPTS, TENSORBOARD, PROFILE);
    return command.prepares()
        ? Stream.concat(trained.stream(), Stream.of(DATASET, EVAL_DATASET)).toList()
        : trained;
  }

  /** Everything in it that a command writes, or writes below. */
  public static List<String> writtenBy(Request.Command command) {
    Stream<String> made = Stream.concat(foldersMadeBy(command).stream(), filesMade().stream());
    return command.prepares() ? Stream.concat(made, Stream.of(HUB)).toList() : made.toList();
  }

  /** The first of these names that is a link, where the folder is local. */
  public Optional<String> linkAmong(List<String> names) {
    return isLocal()
        ? names.stream()
            .filter(name -> Files.isSymbolicLink(java.nio.file.Path.of(display(child(name)))))
            .findFirst()
        : Optional.empty();
  }

  /** Of {@link #filesMade}, what other tools may have left in a folder that no run has had. */
  public static List<String> filesOfCommonNames() {
    return List.of(SAMPLES, REPORT, MLFLOW);
  }

  /** What else in it every command makes anew. */
  public static List<String> filesMade() {
    return List.of(RECORD, METRICS, METRICS_SEGMENTS, SAMPLES, REPORT, MLFLOW);
  }

  /** A location as a person writes it: a local one as a plain path. */
  public static String display(String location) {
    return location.replaceFirst("^file:/+", "/");
  }

  public String display() {
    return display(location);
  }

  /** Whether it lies on the file system of whoever looks. */
  public boolean isLocal() {
    return isLocal(location);
  }

  /** Whether a location of the configuration lies on the file system of whoever looks. */
  public static boolean isLocal(String location) {
    return location.startsWith("file:");
  }

  /** Path or URI of something in it. */
  public String child(String name) {
    return location.endsWith("/") ? location + name : location + "/" + name;
  }

  public Storage storage() {
    return new Storage(hadoop.value());
  }

  public boolean has(String name) throws IOException {
    return storage().exists(child(name));
  }

  public byte[] read(String name) throws IOException {
    try (InputStream in = storage().open(child(name))) {
      return in.readAllBytes();
    } catch (Storage.NotRegularException e) {
      throw new Storage.NotRegularException(name, e);
    }
  }

  /** Writes a file that is there whole or not at all. */
  public void write(String name, byte[] content) throws IOException {
    write(name, out -> out.write(content));
  }

  /** Writes a file that is there whole or not at all, however long it is. */
  public void write(String name, Storage.Content content) throws IOException {
    check();
    storage().write(child(name), content);
  }

  /** Makes a file that must not be there, see {@link Storage#createNew}. */
  public void createNew(String name, byte[] content) throws IOException {
    check();
    storage().createNew(child(name), content);
  }

  /** Opens a file for writing from its start, see {@link Storage#create}. */
  public OutputStream create(String name) throws IOException {
    check();
    return storage().create(child(name));
  }

  /**
   * Copies a file that is there whole or not at all.
   *
   * @param sha256 of its content, in hexadecimal digits
   * @throws IOException also if the content has another SHA-256
   */
  public void copy(String from, String to, String sha256) throws IOException {
    write(
        to,
        out -> {
          MessageDigest digest = Sha256.digest();
          try (InputStream in = new DigestInputStream(storage().open(child(from)), digest)) {
            in.transferTo(out);
          }
          if (!sha256.equals(HexFormat.of().formatHex(digest.digest()))) {
            throw new IOException(display(child(from)) + " is not as it was written");
          }
        });
  }

  /**
   * Gives a folder another name in one step, in place of what had that name, if the file system can
   * do that.
   *
   * @return whether it has
   */
  public boolean moveFolder(String from, String to) throws IOException {
    if (Storage.renamesInOneStep(fileSystem(new Path(child(from))))) {
      delete(to);
    }
    return moveNewFolder(from, to);
  }

  /**
   * Gives a folder a name that nothing has, in one step, if the file system can do that.
   *
   * @return whether it has
   * @throws IOException also if something has that name
   */
  public boolean moveNewFolder(String from, String to) throws IOException {
    Path source = new Path(child(from));
    FileSystem fs = fileSystem(source);
    if (!Storage.renamesInOneStep(fs)) {
      return false;
    }
    check();
    // a folder of that name would take it into itself
    if (fs.exists(new Path(child(to))) || !fs.rename(source, new Path(child(to)))) {
      throw new IOException("%s cannot be moved to %s".formatted(child(from), child(to)));
    }
    return true;
  }

  /** Opens a file for writing at its end, see {@link Storage#append}. */
  public FSDataOutputStream append(String name) throws IOException {
    check();
    return storage().append(child(name));
  }

  /** Removes a file, or a folder with all that is in it, where it is there. */
  public void delete(String name) throws IOException {
    check();
    Path path = new Path(child(name));
    fileSystem(path).delete(path, true);
  }

  private void check() throws IOException {
    if (guard != null) {
      guard.check();
    }
  }

  // the checksum files that Hadoop puts beside local files would clutter the folder
  private FileSystem fileSystem(Path path) throws IOException {
    FileSystem fs = path.getFileSystem(hadoop.value());
    return fs instanceof LocalFileSystem local ? local.getRawFileSystem() : fs;
  }
}
