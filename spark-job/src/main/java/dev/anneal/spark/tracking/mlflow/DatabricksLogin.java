package dev.anneal.spark.tracking.mlflow;

import dev.anneal.spark.BadRequestException;
import dev.anneal.training.io.Excerpt;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Where a workspace of Databricks is and the personal access token for it, from where Databricks'
 * own tools have them: the two variables, else a profile of {@code ~/.databrickscfg}. Of the two
 * ways they are never mixed, so that no token goes to another workspace.
 *
 * @param origin where they were found, for sentences
 */
record DatabricksLogin(String host, String token, String origin) {
  private static final String HOST = "DATABRICKS_HOST";
  private static final String TOKEN = "DATABRICKS_TOKEN";
  private static final String DEFAULT_PROFILE = "DEFAULT";

  /**
   * Finds them.
   *
   * @param profile that is asked for; {@code null}: none
   * @param environment the value of a variable, {@code null} where it is not set
   * @throws BadRequestException if there are none
   */
  static DatabricksLogin of(String profile, UnaryOperator<String> environment) {
    String host = environment.apply(HOST);
    String token = environment.apply(TOKEN);
    if (host != null && token != null) {
      return new DatabricksLogin(host, token, "the driver's environment");
    }
    String named = profile == null ? environment.apply("DATABRICKS_CONFIG_PROFILE") : profile;
    if (named == null && (host != null || token != null)) {
      throw new BadRequestException(
          "MLflow is to be that of databricks, and the driver's environment has no %s beside %s: set it, or tracking.mlflow_uri to none."
              .formatted(host == null ? HOST : TOKEN, host == null ? TOKEN : HOST));
    }
    return ofFile(named, environment);
  }

  private static DatabricksLogin ofFile(String named, UnaryOperator<String> environment) {
    String profile = named == null ? DEFAULT_PROFILE : named;
    Path file = file(environment);
    if (named == null && (file == null || !Files.isRegularFile(file))) {
      throw new BadRequestException(
          "MLflow is to be that of databricks, and the driver's environment has no DATABRICKS_HOST: set it and DATABRICKS_TOKEN, or tracking.mlflow_uri to none.");
    }
    Map<String, String> values = section(file, profile);
    String origin = "profile '%s' of %s".formatted(Excerpt.of(profile), file);
    if (values.get("host") == null || values.get("token") == null) {
      throw new BadRequestException(
          "MLflow is to be that of databricks, and %s has no %s: add it (other ways to log in are not known here), or set DATABRICKS_HOST and DATABRICKS_TOKEN in the driver's environment."
              .formatted(origin, values.get("host") == null ? "host" : "token"));
    }
    return new DatabricksLogin(values.get("host"), values.get("token"), origin);
  }

  private static Path file(UnaryOperator<String> environment) {
    String file = environment.apply("DATABRICKS_CONFIG_FILE");
    String home = environment.apply("HOME");
    try {
      if (file != null) {
        return Path.of(file.startsWith("~/") && home != null ? home + file.substring(1) : file);
      }
      return home == null ? null : Path.of(home, ".databrickscfg");
    } catch (InvalidPathException e) {
      throw unreadable(String.valueOf(file), e);
    }
  }

  /** The values of a profile, in the form of Python's configparser as far as it is used there. */
  private static Map<String, String> section(Path file, String profile) {
    if (file == null) {
      throw unreadable("~/.databrickscfg", null);
    }
    Map<String, String> values = new HashMap<>();
    boolean found = false;
    boolean inside = false;
    try {
      for (String line : Files.readAllLines(file)) {
        String text = line.strip();
        if (text.startsWith("[") && text.endsWith("]")) {
          inside = text.substring(1, text.length() - 1).equals(profile);
          found |= inside;
        } else if (inside && !text.startsWith("#") && !text.startsWith(";")) {
          String[] pair = text.split("[=:]", 2);
          if (pair.length == 2 && !pair[1].isBlank()) {
            values.put(pair[0].strip(), pair[1].strip());
          }
        }
      }
    } catch (IOException e) {
      throw unreadable(file.toString(), e);
    }
    if (!found) {
      throw new BadRequestException(
          "MLflow is to be that of databricks, and %s has no profile '%s': add it, or set DATABRICKS_HOST and DATABRICKS_TOKEN in the driver's environment."
              .formatted(file, Excerpt.of(profile)));
    }
    return values;
  }

  private static BadRequestException unreadable(String file, Exception cause) {
    return new BadRequestException(
        "MLflow is to be that of databricks, and its profiles in %s cannot be read: set DATABRICKS_HOST and DATABRICKS_TOKEN in the driver's environment, or tracking.mlflow_uri to none."
            .formatted(file),
        cause);
  }

  /** Without what is secret. */
  @Override
  public String toString() {
    return "Databricks at " + host;
  }
}
