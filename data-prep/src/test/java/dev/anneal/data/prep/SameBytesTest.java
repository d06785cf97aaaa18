package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.SortedMap;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The same rows, specification and seed give the same files on any cluster. */
class SameBytesTest {
  @TempDir Path dir;

  @Test
  void writesTheSameFilesWithOneTaskOrThreeAtATime() throws Exception {
    SortedMap<String, String> narrow = prepare(1, "narrow", 1500, 42);

    assertThat(narrow)
        .containsOnlyKeys(
            "part-00000.arrow",
            "part-00001.arrow",
            "eval-00000.arrow",
            "quarantine.jsonl",
            "dataset.json");
    assertThat(prepare(3, "wide", 1500, 42)).isEqualTo(narrow);
    assertThat(prepare(1, "reseeded", 1500, 43).get("part-00000.arrow"))
        .isNotEqualTo(narrow.get("part-00000.arrow"));
  }

  private SortedMap<String, String> prepare(int threads, String name, long limit, long seed)
      throws Exception {
    PrepSpec spec =
        PrepFixture.alpaca(dir.resolve(name)).seed(seed).limit(limit).evalRows(20).spec();
    SparkSession spark = PrepFixture.spark(threads);
    try {
      PrepFixture.prepare(spark, spec);
    } finally {
      spark.stop();
    }
    return PrepFixture.files(spec);
  }
}
