package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProgressTest {

  @Test
  void isToldNowAndThenAndAtTheEnd() {
    List<String> told = new ArrayList<>();
    RecordingListener listener =
        new RecordingListener() {
          @Override
          public void onProgress(String phase, long doneBytes, long totalBytes) {
            told.add("%s: %s of %s".formatted(phase, doneBytes, totalBytes));
          }
        };
    Progress progress = new Progress("loading weights", listener);
    for (int done = 1; done <= 1000; done++) {
      progress.advanced(done, 1000);
    }
    assertThat(told).hasSizeLessThan(100).endsWith("loading weights: 1000 of 1000");
  }

  @Test
  void stopsWhereTheListenerAsksFor() {
    RecordingListener listener =
        new RecordingListener() {
          @Override
          public boolean cancelled() {
            return true;
          }
        };
    assertThatThrownBy(() -> new Progress("loading weights", listener).advanced(1, 2))
        .isInstanceOf(TrainingCancelled.class);
  }
}
