package dev.anneal.spark.tracking.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.io.Excerpt;
import java.net.URI;
import java.util.Base64;
import java.util.Locale;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * Where and as what a run is kept, by the configuration and by the environment variables of
 * MLflow's own client.
 *
 * @param experimentId goes behind {@code experiment}; {@code null}: see {@code experiment}
 * @param experiment name; {@code null}, as {@code experimentId}: that of the outer run or the
 *     server's default
 * @param parentRun run that this one is nested in; {@code null}: none
 * @param registeredModel {@code null}: none
 * @param artifacts whether the adapter is uploaded
 */
public record MlflowSettings(
    MlflowAddress server,
    String experiment,
    String experimentId,
    String parentRun,
    String runName,
    String registeredModel,
    boolean artifacts) {
  private static final String DATABRICKS = "databricks";
  private static final String NONE = "none";
  private static final int LATIN_1 = 0xff;

  /**
   * What is to be done; empty where nobody has named a server.
   *
   * @param environment the value of a variable, {@code null} where it is not set
   * @throws BadRequestException if it cannot be done
   */
  public static Optional<MlflowSettings> of(
      AnnealConfig.Tracking config, String output, UnaryOperator<String> environment) {
    String key = config.mlflowUri();
    String uri = key == null ? set(environment, "MLFLOW_TRACKING_URI") : key;
    if (uri == null || uri.equalsIgnoreCase(NONE)) {
      return Optional.empty();
    }
    String origin = key == null ? "MLFLOW_TRACKING_URI" : "tracking.mlflow_uri";
    boolean databricks = isDatabricks(uri);
    MlflowSettings settings =
        new MlflowSettings(
            databricks ? workspace(profile(uri), environment) : server(uri, origin, environment),
            config.mlflowExperiment() == null
                ? set(environment, "MLFLOW_EXPERIMENT_NAME")
                : config.mlflowExperiment(),
            config.mlflowExperiment() == null ? set(environment, "MLFLOW_EXPERIMENT_ID") : null,
            set(environment, "MLFLOW_RUN_ID"),
            config.mlflowRunName() == null ? lastName(output) : config.mlflowRunName(),
            config.mlflowRegisteredModel(),
            config.mlflowArtifacts());
    if (databricks) {
      settings.requireNamesOfDatabricks();
    }
    return Optional.of(settings);
  }

  private static boolean isDatabricks(String uri) {
    return uri.toLowerCase(Locale.ROOT).matches("databricks(://[^:/?#]*/?)?");
  }

  /** The name in {@code databricks://NAME}; {@code null}: none. */
  private static String profile(String uri) {
    String name = uri.substring(DATABRICKS.length()).replaceAll("[:/]", "");
    return name.isEmpty() ? null : name;
  }

  /** A workspace has no experiment of its own for everybody, and names are paths in it. */
  private void requireNamesOfDatabricks() {
    if (experiment == null
        ? experimentId == null && parentRun == null
        : !experiment.startsWith("/")) {
      throw new BadRequestException(
          "%s: set tracking.mlflow_experiment to an absolute path of the workspace, such as /Users/NAME/EXPERIMENT, or tracking.mlflow_uri to none."
              .formatted(
                  experiment == null
                      ? "MLflow on Databricks has no default experiment"
                      : "The experiment '%s' is none of Databricks'"
                          .formatted(Excerpt.of(experiment))));
    }
    if (registeredModel != null && registeredModel.matches("[^.]+\\.[^.]+\\.[^.]+")) {
      throw new BadRequestException(
          "tracking.mlflow_registered_model is '%s', a name of Unity Catalog, whose registry takes files by credentials that are not asked for here: leave it out, and register the adapter from the output folder with MLflow's own client."
              .formatted(Excerpt.of(registeredModel)));
    }
  }

  private static MlflowAddress server(
      String uri, String origin, UnaryOperator<String> environment) {
    URI server = server(uri, origin);
    return MlflowAddress.ofServer(withoutUserInfo(server), authorization(server, environment));
  }

  private static URI server(String uri, String origin) {
    try {
      URI server = URI.create(uri.strip().replaceFirst("/+$", ""));
      String scheme = String.valueOf(server.getScheme()).toLowerCase(Locale.ROOT);
      if (server.getHost() != null && (scheme.equals("http") || scheme.equals("https"))) {
        if (server.getRawUserInfo() != null && origin.startsWith("tracking.")) {
          throw new BadRequestException(
              "tracking.mlflow_uri holds a user name or a key in front of its host: take it out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the driver's environment.");
        }
        return server;
      }
    } catch (IllegalArgumentException e) {
      // said below, as for every other that is no server's
    }
    throw new BadRequestException(
        "%s is '%s', and must be an http:// or https:// URI of a tracking server, databricks, databricks://PROFILE, or none: set tracking.mlflow_uri to one of them."
            .formatted(origin, Excerpt.of(uri.replaceFirst("//[^/@]*@", "//"))));
  }

  private static MlflowAddress workspace(String profile, UnaryOperator<String> environment) {
    DatabricksLogin login = DatabricksLogin.of(profile, name -> set(environment, name));
    String host = login.host();
    URI server =
        server(host.contains("://") ? host : "https://" + host, "the host in " + login.origin());
    return MlflowAddress.ofDatabricks(
        withoutUserInfo(server),
        "Bearer " + headerValue(login.token(), "The token", login.origin()));
  }

  private static String authorization(URI server, UnaryOperator<String> environment) {
    String user = secret(environment, "MLFLOW_TRACKING_USERNAME");
    String password = secret(environment, "MLFLOW_TRACKING_PASSWORD");
    String token = secret(environment, "MLFLOW_TRACKING_TOKEN");
    if (user != null && password != null) {
      return basic(user + ":" + password);
    }
    if (token != null) {
      return "Bearer " + token;
    }
    return server.getUserInfo() == null ? null : basic(server.getUserInfo());
  }

  private static String basic(String userAndPassword) {
    return "Basic " + Base64.getEncoder().encodeToString(userAndPassword.getBytes(UTF_8));
  }

  private static URI withoutUserInfo(URI server) {
    return URI.create(server.toString().replaceFirst("//[^/@]*@", "//"));
  }

  private static String lastName(String output) {
    String path = output.replaceFirst("/+$", "");
    String name = path.substring(path.lastIndexOf('/') + 1);
    return name.isEmpty() ? "anneal" : name;
  }

  /** What no HTTP header takes would be told of, with the secret, by whoever refuses it later. */
  private static String secret(UnaryOperator<String> environment, String name) {
    String value = set(environment, name);
    return value == null ? null : headerValue(value, name, "the driver's environment");
  }

  private static String headerValue(String value, String name, String origin) {
    if (value.chars().anyMatch(c -> Character.isISOControl(c) || c > LATIN_1)) {
      throw new BadRequestException(
          "%s in %s holds a control character, or one that is not of Latin-1: set it without, or tracking.mlflow_uri to none."
              .formatted(name, origin));
    }
    return value;
  }

  private static String set(UnaryOperator<String> environment, String name) {
    String value = environment.apply(name);
    return value == null || value.isBlank() ? null : value.strip();
  }

  /** Without what is secret. */
  @Override
  public String toString() {
    return "MLflow at " + server;
  }
}
