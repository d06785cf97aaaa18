package dev.anneal.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.apache.spark.SparkException;
import org.junit.jupiter.api.Test;

class RootCauseTest {

  @Test
  void isTheFirstLineOfWhatLiesAtTheBottom() {
    Exception root = new IllegalArgumentException("no such table\nat line 3");
    assertThat(RootCause.sentence(new IllegalStateException("stage failed", root)))
        .isEqualTo("no such table");
    assertThat(RootCause.sentence(new NullPointerException()))
        .isEqualTo("java.lang.NullPointerException");
  }

  @Test
  void saysWhoseDiskIsFullAndWhatToDo() {
    SparkException lost =
        new SparkException(
            "Job aborted due to stage failure: Lost task 0.3 in stage 1.0 (TID 3) (10.0.0.7 executor 1): java.io.IOException",
            new IOException("No space left on device"));
    assertThat(RootCause.sentence(lost))
        .isEqualTo(
            "a disk is full on 10.0.0.7 (No space left on device): free space there, or name a larger one in spark.local.dir.");
  }
}
