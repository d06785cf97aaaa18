package dev.anneal.spark.s3;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What is packed for {@code s3a://}. */
class ConnectorJarsIT {
  private static final Path TARGET = Path.of(System.getProperty("anneal.home"), "spark-job/target");
  private static final long MAX_BYTES = 20_000_000;

  @Test
  void areSmallAndHoldNothingThatSparkOrTheApplicationBrings() throws Exception {
    List<String> s3 = artifacts("app-s3");
    assertThat(s3).contains("hadoop-aws", "s3", "s3-transfer-manager", "sts");
    assertThat(s3).noneMatch(jar -> jar.equals("bundle") || jar.matches("netty-(?!nio-client).*"));
    assertThat(s3).doesNotContainAnyElementsOf(artifacts("spark-home/jars"));
    assertThat(s3).doesNotContainAnyElementsOf(artifacts("app"));
    long bytes = 0;
    try (Stream<Path> jars = Files.list(TARGET.resolve("app-s3"))) {
      for (Path jar : jars.toList()) {
        bytes += Files.size(jar);
      }
    }
    assertThat(bytes).isLessThan(MAX_BYTES);
  }

  /** The names of the jars of a folder without their versions. */
  private static List<String> artifacts(String folder) throws IOException {
    try (Stream<Path> jars = Files.list(TARGET.resolve(folder))) {
      // JetBrains and the AWS SDK both have jars of the name "annotations"
      return jars.map(jar -> jar.getFileName().toString().replaceFirst("-v?\\d.*", ""))
          .filter(name -> !name.equals("annotations"))
          .toList();
    }
  }
}
