package dev.anneal.spark.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.ConfigLoader;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.ExecutorFailureTracker;
import org.junit.jupiter.api.Test;

class SparkSettingsTest {

  @Test
  void lostExecutorsAreCountedByClusterAttempts() {
    SparkConf conf = settings(new SparkConf(false));
    // three attempts of two nodes, where Spark would give up after three executors
    assertThat(ExecutorFailureTracker.maxNumExecutorFailures(conf)).isEqualTo(24);
    assertThat(conf.get("spark.executor.failuresValidityInterval")).isEqualTo("10m");
  }

  @Test
  void whatTheUserSaysOfLostExecutorsHoldsAlsoByTheNamesOfYarn() {
    SparkConf conf =
        settings(
            new SparkConf(false)
                .set("spark.yarn.max.executor.failures", "7")
                .set("spark.yarn.executor.failuresValidityInterval", "1h"));
    assertThat(ExecutorFailureTracker.maxNumExecutorFailures(conf)).isEqualTo(7);
    assertThat(conf.get("spark.executor.failuresValidityInterval")).isEqualTo("1h");
  }

  private static SparkConf settings(SparkConf given) {
    List<String> set = List.of("cluster.nodes=2", "cluster.attempts=3");
    return SparkSettings.of(
        given,
        Request.of(
            Request.Command.RUN, ConfigLoader.load(null, set, Path.of("")), Request.Existing.KEEP));
  }
}
