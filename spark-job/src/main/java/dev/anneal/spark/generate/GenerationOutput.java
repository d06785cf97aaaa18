package dev.anneal.spark.generate;

import dev.anneal.spark.config.Locations;
import java.nio.file.Path;

/**
 * Where answers go in the place of standard output.
 *
 * @param location of what is not there yet
 */
public record GenerationOutput(String location, Form form) {
  private static final String PARQUET = ".parquet";
  private static final String WORK = ".anneal-generate.";

  /** What it is. */
  public enum Form {
    /** A file with a JSON object a line. */
    JSON_LINES,
    /** A folder of Parquet files. */
    PARQUET
  }

  /**
   * The place that a user names.
   *
   * @param name path or URI; of a folder, or ending with {@code .parquet}, it is Parquet
   */
  public static GenerationOutput of(String name) {
    Form form = name.endsWith("/") || name.endsWith(PARQUET) ? Form.PARQUET : Form.JSON_LINES;
    String location = Locations.resolve(name.replaceFirst("(?<=[^/])/+$", ""), Path.of(""));
    return new GenerationOutput(location, form);
  }

  /** A place in the folder that it lies in. */
  String beside(String name) {
    return location.substring(0, location.lastIndexOf('/') + 1) + name;
  }

  /** The folder that it lies in. */
  String parent() {
    String folder = beside("");
    // that of a root stays
    return folder.matches("([a-zA-Z0-9+.-]+:)?/+") ? folder : folder.replaceFirst("/+$", "");
  }

  String name() {
    return location.substring(location.lastIndexOf('/') + 1);
  }

  /** Name of the folder beside it in which answers wait until all are there. */
  String workName() {
    return WORK + name();
  }
}
