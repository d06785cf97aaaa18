package dev.anneal.spark.storage;

import dev.anneal.data.io.Storage;
import dev.anneal.spark.Request;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/** The output folder of a run, on any file system that Hadoop knows; it travels to executors. */
public final class RunFolder implements Serializable {
  private static final long serialVersionUID = 1L;

  public static final String DATASET = "dataset";
  public static final String ADAPTER = "adapter";
  public static final String MODEL = "model";
  public static final String METRICS = "metrics.jsonl";
  public static final String RECORD = "run.json";

  private final String location;
  private final SerializableConfiguration hadoop;

  public RunFolder(String location, Configuration hadoop) {
    this.location = location;
    this.hadoop = new SerializableConfiguration(hadoop);
  }

  /** The folders in it that a command makes anew. */
  public static List<String> foldersMadeBy(Request.Command command) {
    return command.prepares() ? List.of(ADAPTER, MODEL, DATASET) : List.of(ADAPTER, MODEL);
  }

  /** The files in it that every command makes anew. */
  public static List<String> filesMade() {
    return List.of(RECORD, METRICS);
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
    }
  }

  /** Writes a file that is there whole or not at all. */
  public void write(String name, byte[] content) throws IOException {
    storage().write(child(name), out -> out.write(content));
  }

  /** Writes a file that is there whole or not at all, however long it is. */
  public void write(String name, Storage.Content content) throws IOException {
    storage().write(child(name), content);
  }

  /** Opens a file for writing from its start, see {@link Storage#create}. */
  public OutputStream create(String name) throws IOException {
    return storage().create(child(name));
  }

  /** Removes a file, or a folder with all that is in it, where it is there. */
  public void delete(String name) throws IOException {
    Path path = new Path(child(name));
    fileSystem(path).delete(path, true);
  }

  // the checksum files that Hadoop puts beside local files would clutter the folder
  private FileSystem fileSystem(Path path) throws IOException {
    FileSystem fs = path.getFileSystem(hadoop.value());
    return fs instanceof LocalFileSystem local ? local.getRawFileSystem() : fs;
  }
}
