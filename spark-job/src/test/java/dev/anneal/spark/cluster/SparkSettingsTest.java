package dev.anneal.spark.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.ExecutorFailureTracker;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

  @Test
  void onlyExecutorsWithGpusAskForHugePages() {
    String name = "spark.executorEnv.THP_MEM_ALLOC_ENABLE";
    assertThat(settings(new SparkConf(false)).contains(name)).isFalse();
    assertThat(gpuSettings(new SparkConf(false)).get(name)).isEqualTo("1");
    assertThat(gpuSettings(new SparkConf(false).set(name, "0")).get(name)).isEqualTo("0");
  }

  @Test
  void theProductsOfARankHaveTheCoresOfItsExecutor() {
    SparkConf conf = settings(new SparkConf(false).set("spark.master", "local-cluster[2,4,1024]"));
    assertThat(conf.get("spark.executorEnv.OPENBLAS_NUM_THREADS")).isEqualTo("4");
    assertThat(conf.get("spark.executorEnv.OMP_NUM_THREADS")).isEqualTo("1");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          PREP  | 2 | 16 | local[*]
          RUN   | 1 | 16 | local-cluster[1,16,1024]
          RUN   | 2 | 16 | local-cluster[2,8,1024]
          TRAIN | 2 | 1  | local-cluster[2,1,1024]
          TRAIN | 9 | 2  | local-cluster[2,1,1024]
          """)
  void theEmbeddedSparkIsWhatTheRunNeedsOfTheMachine(
      Request.Command command, int nodes, int cores, String master) {
    AnnealConfig config = ConfigLoader.load(null, List.of("cluster.nodes=" + nodes), Path.of(""));
    Request request = Request.of(command, config, Request.Existing.KEEP);
    assertThat(EmbeddedSpark.master(request, cores)).isEqualTo(master);
  }

  @Test
  void whatSubmitShStartsOnThisMachineIsForThisRunAloneWhoeverNamesItsMaster() {
    for (String master : List.of("local-cluster[2,1,1024]", "local[2]", "local[*]")) {
      SparkConf conf = settings(ours().set("spark.master", master));
      assertThat(conf.get("spark.authenticate")).isEqualTo("true");
      assertThat(conf.get("spark.authenticate.secret")).hasSize(64);
      assertThat(conf.get("spark.ui.filters")).isEqualTo(NoPages.class.getName());
      assertThat(conf.get("spark.ui.killEnabled")).isEqualTo("false");
      assertThat(conf.get("spark.master")).isEqualTo(master);
    }
    SparkConf theirs = settings(ours().set("spark.master", "spark://host:7077"));
    assertThat(theirs.contains("spark.authenticate")).isFalse();
    assertThat(settings(ours().set("spark.anneal.embedded", "true")).get("spark.master"))
        .startsWith("local-cluster[2,");
  }

  private static SparkConf ours() {
    return new SparkConf(false).set("spark.anneal.ours", "true");
  }

  private static SparkConf settings(SparkConf given) {
    return settings(given, 0);
  }

  private static SparkConf gpuSettings(SparkConf given) {
    return settings(given, 1);
  }

  private static SparkConf settings(SparkConf given, int gpus) {
    List<String> set =
        List.of("cluster.nodes=2", "cluster.attempts=3", "cluster.gpus_per_node=" + gpus);
    return SparkSettings.of(
        given,
        Request.of(
            Request.Command.RUN, ConfigLoader.load(null, set, Path.of("")), Request.Existing.KEEP));
  }
}
