package dev.anneal.spark.preflight;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputPlaceCheckTest {
  @TempDir Path folder;

  @Test
  void refusesADiskOfTheDriverInTheCluster() {
    assertRefused(folder.resolve("not/there/yet"), yarn("cluster"));
  }

  @Test
  void refusesWhatGoesWithThePod() {
    assertRefused(Path.of("/not/there"), pod());
  }

  @Test
  void takesAVolumeOfThePod() {
    assertTaken("file:/proc/self/out", pod());
  }

  @Test
  void takesWhatEveryMachineReaches() {
    assertTaken("hdfs://host/out", yarn("cluster"));
    assertTaken("s3a://bucket/out", pod());
    assertTaken("dbfs:/Volumes/c/s/v/out", yarn("cluster"));
    // of no disk, as a mounted share is not
    assertTaken("file:/proc/self/out", yarn("cluster"));
  }

  @Test
  void takesADiskWhereTheDriverIsTheUsers() {
    assertTaken("file:" + folder, yarn("client"));
    assertTaken("file:" + folder, yarn("cluster").set("spark.master", "local[2]"));
  }

  private static SparkConf yarn(String mode) {
    return new SparkConf(false).setMaster("yarn").set("spark.submit.deployMode", mode);
  }

  private static SparkConf pod() {
    return new SparkConf(false)
        .setMaster("k8s://https://kubernetes.default.svc")
        .set("spark.submit.deployMode", "client")
        .set("spark.kubernetes.submitInDriver", "true");
  }

  private static void assertRefused(Path place, SparkConf spark) {
    assertThatThrownBy(() -> OutputPlaceCheck.check("output.path", output("file:" + place), spark))
        .isInstanceOf(BadRequestException.class)
        .hasMessageStartingWith("output.path " + place + " lies on the machine that the cluster");
  }

  private static void assertTaken(String place, SparkConf spark) {
    assertThatCode(() -> OutputPlaceCheck.check("output.path", output(place), spark))
        .doesNotThrowAnyException();
  }

  private static RunFolder output(String place) {
    return new RunFolder(place, new Configuration());
  }
}
