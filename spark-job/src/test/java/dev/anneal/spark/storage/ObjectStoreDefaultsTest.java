package dev.anneal.spark.storage;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;

class ObjectStoreDefaultsTest {
  private static final String PREFIX = "spark.hadoop.";

  @Test
  void areThese() {
    assertThat(added(new SparkConf(false)))
        .isEqualTo(
            Map.of(
                "fs.s3a.fast.upload.buffer", "bytebuffer",
                "fs.s3a.multipart.size", "32M",
                "fs.s3a.fast.upload.active.blocks", "4",
                "fs.s3a.retry.limit", "8",
                "fs.s3a.retry.interval", "500ms",
                "fs.s3a.connection.establish.timeout", "15s",
                "fs.s3a.connection.timeout", "60s"));
  }

  @Test
  void areKeysThatS3aReads() throws Exception {
    List<Object> known =
        Arrays.stream(Class.forName("org.apache.hadoop.fs.s3a.Constants").getFields())
            .filter(field -> Modifier.isStatic(field.getModifiers()))
            .map(
                field -> {
                  try {
                    return field.get(null);
                  } catch (IllegalAccessException e) {
                    throw new AssertionError(e);
                  }
                })
            .toList();
    assertThat(known).containsAll(added(new SparkConf(false)).keySet());
  }

  @Test
  void leaveWhatTheUserSets() {
    SparkConf given = new SparkConf(false).set(PREFIX + "fs.s3a.fast.upload.buffer", "disk");
    assertThat(added(given)).containsEntry("fs.s3a.fast.upload.buffer", "disk");
    assertThat(given.getAll()).as("the given configuration stays").hasSize(1);
  }

  @Test
  void leaveWhatAFileOfHadoopsSets() {
    String site =
        "<configuration><property><name>fs.s3a.retry.limit</name><value>3</value></property></configuration>";
    Configuration hadoop = new Configuration();
    hadoop.addResource(new ByteArrayInputStream(site.getBytes(UTF_8)), "core-site.xml");
    SparkConf conf = ObjectStoreDefaults.addTo(new SparkConf(false), hadoop);
    assertThat(conf.contains(PREFIX + "fs.s3a.retry.limit")).isFalse();
    assertThat(conf.contains(PREFIX + "fs.s3a.retry.interval")).isTrue();
  }

  private static Map<String, String> added(SparkConf given) {
    return Arrays.stream(ObjectStoreDefaults.addTo(given).getAll())
        .collect(Collectors.toMap(each -> each._1().substring(PREFIX.length()), each -> each._2()));
  }
}
