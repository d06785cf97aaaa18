package dev.anneal.spark.tracking.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MlflowSettingsTest {
  private static final AnnealConfig.Tracking NOTHING = config(null, null);

  @Test
  void nobodyKeepsARunWhereNobodyHasNamedAServer() {
    assertThat(of(NOTHING, Map.of())).isEmpty();
    assertThat(of(NOTHING, Map.of("MLFLOW_TRACKING_URI", " "))).isEmpty();
    assertThat(of(config("none", null), Map.of("MLFLOW_TRACKING_URI", "http://m"))).isEmpty();
  }

  @Test
  void theKeyGoesBeforeTheEnvironment() {
    Map<String, String> environment =
        Map.of(
            "MLFLOW_TRACKING_URI", "http://theirs",
            "MLFLOW_EXPERIMENT_NAME", "theirs",
            "MLFLOW_EXPERIMENT_ID", "12",
            "MLFLOW_RUN_ID", "outer");
    MlflowSettings theirs = of(NOTHING, environment).orElseThrow();
    assertThat(theirs.server().root()).isEqualTo(URI.create("http://theirs"));
    assertThat(theirs.experiment()).isEqualTo("theirs");
    assertThat(theirs.experimentId()).isEqualTo("12");
    assertThat(theirs.parentRun()).isEqualTo("outer");
    assertThat(theirs.runName()).as("the last name of the output").isEqualTo("b");
    MlflowSettings ours = of(config("http://ours:5000/m/", "ours"), environment).orElseThrow();
    assertThat(ours.server().root()).isEqualTo(URI.create("http://ours:5000/m"));
    assertThat(ours.experiment()).isEqualTo("ours");
    assertThat(ours.experimentId()).isNull();
  }

  @Test
  void credentialsComeFromTheEnvironmentAndAreNotShown() {
    Map<String, String> user =
        Map.of(
            "MLFLOW_TRACKING_USERNAME", "ann",
            "MLFLOW_TRACKING_PASSWORD", "hunter2",
            "MLFLOW_TRACKING_TOKEN", "abc");
    MlflowSettings basic = of(config("http://m", null), user).orElseThrow();
    // base64 of ann:hunter2
    assertThat(basic.server().authorization()).isEqualTo("Basic YW5uOmh1bnRlcjI=");
    assertThat(basic.toString()).doesNotContain("hunter2", "YW5u");
    assertThat(
            of(config("http://m", null), Map.of("MLFLOW_TRACKING_TOKEN", "abc"))
                .orElseThrow()
                .server()
                .authorization())
        .isEqualTo("Bearer abc");
    MlflowSettings inUri =
        of(NOTHING, Map.of("MLFLOW_TRACKING_URI", "http://ann:hunter2@m:5000")).orElseThrow();
    assertThat(inUri.server().root()).isEqualTo(URI.create("http://m:5000"));
    assertThat(inUri.server().authorization()).isEqualTo(basic.server().authorization());
  }

  @Test
  void databricksHasVariablesOfItsOwn() {
    Map<String, String> environment =
        Map.of("DATABRICKS_HOST", "adb-1.azuredatabricks.net/", "DATABRICKS_TOKEN", "dapi1");
    MlflowSettings settings = of(config("databricks", "/Users/a/x"), environment).orElseThrow();
    assertThat(settings.server().root()).isEqualTo(URI.create("https://adb-1.azuredatabricks.net"));
    assertThat(settings.server().authorization()).isEqualTo("Bearer dapi1");
    assertThat(settings.server().pages()).isEqualTo("/ml/experiments/");
    assertRefused(config("databricks", null), Map.of(), "has no DATABRICKS_HOST");
    assertRefused(
        config("databricks", null), Map.of("DATABRICKS_HOST", "h"), "has no DATABRICKS_TOKEN");
    assertRefused(
        config("databricks", null),
        Map.of("DATABRICKS_TOKEN", "hunter2"),
        "has no DATABRICKS_HOST");
  }

  @Test
  void aProfileOfDatabricksIsReadWhereTheVariablesAreNotSet(@TempDir Path home) throws Exception {
    Files.writeString(
        home.resolve(".databrickscfg"),
        """
        # made by databricks configure
        [__settings__]
        default_profile = DEFAULT

        [DEFAULT]
        host  = https://first.cloud.databricks.com
        token = dapi-first

        [second]
        host = second.cloud.databricks.com/
        ; token = dapi-old
        token = dapi-second

        [interactive]
        host = third.cloud.databricks.com
        auth_type = databricks-cli
        """);
    Map<String, String> variables = Map.of("HOME", home.toString());
    assertThat(login("databricks", variables))
        .isEqualTo("https://first.cloud.databricks.com Bearer dapi-first");
    assertThat(login("databricks://second", variables))
        .isEqualTo("https://second.cloud.databricks.com Bearer dapi-second");
    assertThat(login("databricks", with(variables, "DATABRICKS_CONFIG_PROFILE", "second")))
        .isEqualTo("https://second.cloud.databricks.com Bearer dapi-second");
    Map<String, String> both =
        Map.of("DATABRICKS_HOST", "h", "DATABRICKS_TOKEN", "t", "HOME", home.toString());
    assertThat(login("databricks://second", both)).isEqualTo("https://h Bearer t");
    assertThat(login("databricks://second", with(variables, "DATABRICKS_HOST", "elsewhere")))
        .as("a token goes to its own workspace alone")
        .isEqualTo("https://second.cloud.databricks.com Bearer dapi-second");
    assertRefused(config("databricks://third", "/x"), variables, "has no profile 'third'");
    assertRefused(
        config("databricks://interactive", "/x"),
        variables,
        "profile 'interactive' of " + home.resolve(".databrickscfg") + " has no token");
    assertRefused(
        config("databricks://second", "/x"),
        with(variables, "DATABRICKS_CONFIG_FILE", "~/none.cfg"),
        home.resolve("none.cfg") + " cannot be read");
    assertRefused(config("databricks://second", "/x"), Map.of(), "~/.databrickscfg cannot be read");
    assertRefused(config("databricks://scope:prefix", "/x"), both, "must be an http://");
  }

  @Test
  void experimentsAndModelsOfDatabricksHaveNamesOfTheirOwnKind() {
    Map<String, String> login = Map.of("DATABRICKS_HOST", "h", "DATABRICKS_TOKEN", "t");
    assertRefused(config("databricks", null), login, "has no default experiment: set");
    assertRefused(config("databricks", "tuned"), login, "'tuned' is none of Databricks'");
    assertThat(of(config("databricks", null), with(login, "MLFLOW_EXPERIMENT_ID", "12")))
        .isPresent();
    assertThat(of(config("databricks", null), with(login, "MLFLOW_RUN_ID", "outer"))).isPresent();
    assertRefused(
        new AnnealConfig.Tracking("databricks", "/x", null, "main.models.tuned", true, false),
        login,
        "a name of Unity Catalog");
  }

  private static String login(String uri, Map<String, String> environment) {
    MlflowAddress address = of(config(uri, "/x"), environment).orElseThrow().server();
    return address.root() + " " + address.authorization();
  }

  private static Map<String, String> with(Map<String, String> map, String key, String value) {
    Map<String, String> all = new HashMap<>(map);
    all.put(key, value);
    return all;
  }

  @Test
  void whatIsNoServerIsRefusedWithoutItsSecret() {
    assertRefused(config("file:/mlruns", null), Map.of(), "tracking.mlflow_uri is 'file:/mlruns'");
    assertRefused(
        NOTHING, Map.of("MLFLOW_TRACKING_URI", "sqlite:///m.db"), "MLFLOW_TRACKING_URI is 'sqlite");
    assertRefused(config("databrick", null), Map.of(), "must be an http://");
    assertRefused(config("http://ann:hunter2@m", null), Map.of(), "MLFLOW_TRACKING_PASSWORD");
  }

  @Test
  void secretsThatNoHeaderTakesAreRefusedByTheNameOfTheirVariable() {
    String broken = "hunter2\nhunter2";
    AnnealConfig.Tracking config = config("http://m", null);
    assertRefused(config, Map.of("MLFLOW_TRACKING_TOKEN", broken), "MLFLOW_TRACKING_TOKEN in");
    assertRefused(
        config, Map.of("MLFLOW_TRACKING_TOKEN", "hunter2\u20ac"), "MLFLOW_TRACKING_TOKEN in");
    assertRefused(
        config,
        Map.of("MLFLOW_TRACKING_USERNAME", "ann", "MLFLOW_TRACKING_PASSWORD", broken),
        "MLFLOW_TRACKING_PASSWORD in");
    assertRefused(
        config,
        Map.of("MLFLOW_TRACKING_USERNAME", broken, "MLFLOW_TRACKING_PASSWORD", "x"),
        "MLFLOW_TRACKING_USERNAME in");
    assertRefused(
        config("databricks", null),
        Map.of("DATABRICKS_HOST", "h", "DATABRICKS_TOKEN", "hunter2\u007f2"),
        "The token in the driver's environment");
    assertThat(
            of(config, Map.of("MLFLOW_TRACKING_TOKEN", "abc\n"))
                .orElseThrow()
                .server()
                .authorization())
        .as("the end of a line that a file has left")
        .isEqualTo("Bearer abc");
  }

  private static void assertRefused(
      AnnealConfig.Tracking config, Map<String, String> environment, String sentence) {
    assertThatThrownBy(() -> of(config, environment))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining(sentence)
        .hasMessageNotContaining("hunter2");
  }

  private static Optional<MlflowSettings> of(
      AnnealConfig.Tracking config, Map<String, String> environment) {
    return MlflowSettings.of(config, "file:/a/b/", environment::get);
  }

  private static AnnealConfig.Tracking config(String uri, String experiment) {
    return new AnnealConfig.Tracking(uri, experiment, null, null, true, false);
  }
}
