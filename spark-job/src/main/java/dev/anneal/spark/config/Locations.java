package dev.anneal.spark.config;

import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * What a path in the configuration means on every machine. A location without a scheme is a local
 * path, relative to the working directory, and so is one of Spark's scheme {@code local:}; anything
 * else is a Hadoop URI and stays as it is.
 */
public final class Locations {
  private static final String RANDOM = "random:";
  private static final String FILE = "file:";
  private static final String LOCAL = "local:";
  // A shape's name has no slash and no suffix: llama3.1-8b.
  private static final Pattern SHAPE = Pattern.compile("random:(?!.*\\.json$)[^/]+");
  private static final Pattern SCHEME = Pattern.compile("[a-zA-Z][a-zA-Z0-9+.-]+:.*");

  private Locations() {}

  /**
   * The location as every machine understands it.
   *
   * @param workingFolder what a relative path is relative to
   */
  public static String resolve(String location, Path workingFolder) {
    if (SHAPE.matcher(location).matches()) {
      return location;
    }
    if (location.startsWith(RANDOM)) {
      return RANDOM + resolve(location.substring(RANDOM.length()), workingFolder);
    }
    if (isUri(location) && !location.startsWith(LOCAL)) {
      return location;
    }
    return FILE + workingFolder.toAbsolutePath().resolve(localPath(location)).normalize();
  }

  static boolean isUri(String location) {
    return SCHEME.matcher(location).matches();
  }

  /** Whether it says that it is on the machine of whoever looks. */
  static boolean isLocal(String location) {
    return location.startsWith(FILE) || location.startsWith(LOCAL);
  }

  /** Whether Hadoop can make files there: local ones and those of HDFS have no colon in a name. */
  static boolean canBeWritten(String resolved) {
    int scheme = resolved.indexOf(':');
    String rest = resolved.substring(scheme + 1);
    boolean strict = isLocal(resolved) || resolved.startsWith("hdfs:");
    return rest.startsWith("/") && !(strict && rest.replaceFirst("^//[^/]*", "").contains(":"));
  }

  /** The path without its scheme. */
  static String localPath(String location) {
    return isLocal(location)
        ? location.substring(location.indexOf(':') + 1).replaceFirst("^/+", "/")
        : location;
  }
}
