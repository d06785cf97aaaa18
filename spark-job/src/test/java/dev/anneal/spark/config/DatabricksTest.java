package dev.anneal.spark.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DatabricksTest {

  @ParameterizedTest
  @CsvSource({
    "dbfs:/, /Volumes/c/s/v/x.yaml, dbfs:/Volumes/c/s/v/x.yaml",
    "dbfs:/, /dbfs/x.yaml, dbfs:/x.yaml",
    "dbfs:/, /local/x.yaml, /local/x.yaml",
    "dbfs:/, file:/Volumes/c/x, file:/Volumes/c/x",
    "file:///, /Volumes/c/s/v/x.yaml, /Volumes/c/s/v/x.yaml",
    "hdfs://host, /dbfs/x.yaml, /dbfs/x.yaml"
  })
  void readsPlainPathsThroughItsFileSystem(String defaultFs, String given, String resolved) {
    Configuration hadoop = new Configuration(false);
    hadoop.set("fs.defaultFS", defaultFs);
    assertThat(Databricks.resolve(given, () -> hadoop)).isEqualTo(resolved);
  }
}
