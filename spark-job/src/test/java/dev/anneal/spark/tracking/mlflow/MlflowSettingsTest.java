package dev.anneal.spark.tracking.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import java.net.URI;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

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
    assertThat(theirs.server()).isEqualTo(URI.create("http://theirs"));
    assertThat(theirs.experiment()).isEqualTo("theirs");
    assertThat(theirs.experimentId()).isEqualTo("12");
    assertThat(theirs.parentRun()).isEqualTo("outer");
    assertThat(theirs.runName()).as("the last name of the output").isEqualTo("b");
    MlflowSettings ours = of(config("http://ours:5000/m/", "ours"), environment).orElseThrow();
    assertThat(ours.server()).isEqualTo(URI.create("http://ours:5000/m"));
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
    assertThat(basic.authorization()).isEqualTo("Basic YW5uOmh1bnRlcjI=");
    assertThat(basic.toString()).doesNotContain("hunter2", "YW5u");
    assertThat(
            of(config("http://m", null), Map.of("MLFLOW_TRACKING_TOKEN", "abc"))
                .orElseThrow()
                .authorization())
        .isEqualTo("Bearer abc");
    MlflowSettings inUri =
        of(NOTHING, Map.of("MLFLOW_TRACKING_URI", "http://ann:hunter2@m:5000")).orElseThrow();
    assertThat(inUri.server()).isEqualTo(URI.create("http://m:5000"));
    assertThat(inUri.authorization()).isEqualTo(basic.authorization());
  }

  @Test
  void databricksHasVariablesOfItsOwn() {
    Map<String, String> environment =
        Map.of("DATABRICKS_HOST", "adb-1.azuredatabricks.net/", "DATABRICKS_TOKEN", "dapi1");
    MlflowSettings settings = of(config("databricks", "/Users/a/x"), environment).orElseThrow();
    assertThat(settings.server()).isEqualTo(URI.create("https://adb-1.azuredatabricks.net"));
    assertThat(settings.authorization()).isEqualTo("Bearer dapi1");
    assertRefused(config("databricks", null), Map.of(), "has no DATABRICKS_HOST");
    assertRefused(
        config("databricks", null), Map.of("DATABRICKS_HOST", "h"), "has no DATABRICKS_TOKEN");
  }

  @Test
  void whatIsNoServerIsRefusedWithoutItsSecret() {
    assertRefused(config("file:/mlruns", null), Map.of(), "tracking.mlflow_uri is 'file:/mlruns'");
    assertRefused(
        NOTHING, Map.of("MLFLOW_TRACKING_URI", "sqlite:///m.db"), "MLFLOW_TRACKING_URI is 'sqlite");
    assertRefused(config("databricks://profile", null), Map.of(), "must be an http://");
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
        "DATABRICKS_TOKEN in");
    assertThat(of(config, Map.of("MLFLOW_TRACKING_TOKEN", "abc\n")).orElseThrow().authorization())
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
