package dev.anneal.spark.config;

import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * What a path in the configuration means on every machine. A location without a scheme is a local
 * path, relative to the working directory; anything else is a Hadoop URI and stays as it is.
 */
final class Locations {
  /** What a path in a configuration file may begin with: the folder of that file. */
  static final String CONF_FOLDER = "${conf}";

  private static final String RANDOM = "random:";
  // A shape's name has no slash and no suffix: llama3.1-8b.
  private static final Pattern SHAPE = Pattern.compile("random:(?!.*\\.json$)[^/]+");
  private static final Pattern SCHEME = Pattern.compile("[a-zA-Z][a-zA-Z0-9+.-]+:.*");

  private Locations() {}

  static String resolve(String location, Path workingFolder) {
    if (SHAPE.matcher(location).matches()) {
      return location;
    }
    if (location.startsWith(RANDOM)) {
      return RANDOM + resolve(location.substring(RANDOM.length()), workingFolder);
    }
    if (SCHEME.matcher(location).matches()) {
      return location;
    }
    return "file:" + workingFolder.toAbsolutePath().resolve(location).normalize();
  }

  /** Puts the folder of the configuration file in the place of {@link #CONF_FOLDER}. */
  static String expand(String value, Path confFolder) {
    return value.replace(CONF_FOLDER, confFolder.toString());
  }
}
