package dev.anneal.spark.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SlotsTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "local | 1",
        "local[3] | 3",
        "local[4, 2] | 4",
        "local-cluster[2,1,1024] | 2",
        "local-cluster[3, 8, 1024] | 3",
      })
  void countsThoseOfAMaster(String master, int slots) {
    assertThat(Slots.of(conf(master))).hasValue(slots);
  }

  @Test
  void countsAThreadPerCoreForLocalStar() {
    assertThat(Slots.of(conf("local[*]"))).hasValue(Runtime.getRuntime().availableProcessors());
  }

  @Test
  void countsExecutorsWhereTheyAreAskedFor() {
    assertThat(Slots.of(conf("yarn").set("spark.executor.instances", "4"))).hasValue(4);
    assertThat(Slots.of(conf("k8s://https://host:443"))).hasValue(2);
    SparkConf standalone =
        conf("spark://host:7077").set("spark.cores.max", "16").set("spark.executor.cores", "8");
    assertThat(Slots.of(standalone)).hasValue(2);
  }

  @Test
  void countsExecutorsThatFitIntoWorkers() {
    SparkConf small = conf("local-cluster[2,4,2048]").set("spark.executor.cores", "2");
    assertThat(Slots.of(small)).hasValue(4);
    assertThat(Slots.of(small.clone().set("spark.executor.memory", "2g"))).hasValue(2);
    assertThat(Slots.of(small.clone().set("spark.cores.max", "2"))).hasValue(1);
    assertThat(Slots.neverFits(small)).isEmpty();
  }

  @Test
  void saysThatNoExecutorFits() {
    SparkConf cores = conf("local-cluster[2,1,1024]").set("spark.executor.cores", "64");
    assertThat(Slots.neverFits(cores))
        .hasValue(
            "spark.executor.cores is 64, and a worker of Spark's master local-cluster[2,1,1024] has 1, so that no executor would ever start: set it to 1 at most.");
    for (String master : List.of("local-cluster[2,2,1024]", "spark://host:7077")) {
      SparkConf most = conf(master).set("spark.cores.max", "1").set("spark.executor.cores", "2");
      assertThat(Slots.neverFits(most).orElseThrow())
          .startsWith("spark.cores.max is 1, and an executor takes 2 cores");
    }
    assertThat(Slots.neverFits(conf("yarn").set("spark.executor.cores", "64"))).isEmpty();
    assertThat(Slots.neverFits(conf("local[2]").set("spark.executor.cores", "64"))).isEmpty();
  }

  @Test
  void leavesToTheClusterWhatOnlyItKnows() {
    assertThat(Slots.of(conf("spark://host:7077"))).isEmpty();
    assertThat(Slots.of(conf("spark://host:7077").set("spark.cores.max", "16"))).isEmpty();
  }

  @Test
  void tellsTheCoresOfAnExecutor() {
    assertThat(Slots.executorCores(conf("local-cluster[2,4,1024]"))).hasValue(4);
    assertThat(
            Slots.executorCores(conf("local-cluster[2,4,1024]").set("spark.executor.cores", "2")))
        .hasValue(2);
    assertThat(Slots.executorCores(conf("yarn").set("spark.executor.cores", "8"))).hasValue(8);
    assertThat(Slots.executorCores(conf("yarn"))).isEmpty();
    assertThat(Slots.executorCores(conf("local[2]").set("spark.executor.cores", "8"))).isEmpty();
  }

  private static SparkConf conf(String master) {
    return new SparkConf(false).setMaster(master);
  }
}
