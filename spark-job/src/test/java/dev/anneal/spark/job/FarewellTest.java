package dev.anneal.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.tracking.RunEnd;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FarewellTest {
  private final List<String> told = new ArrayList<>();

  @Test
  void anErrorOfOneKeepsTheEndFromNobodyElse() {
    Farewell farewell =
        new Farewell(
            text -> text,
            (end, most) -> {
              throw new NoClassDefFoundError("java/net/http/HttpClient");
            },
            (end, most) -> {
              throw new IllegalStateException("a fault");
            },
            (end, most) -> told.add(end.state() + " within " + most));
    farewell.tell(RunEnd.State.SUCCEEDED, null, () -> Duration.ofSeconds(3));
    assertThat(told).containsExactly("SUCCEEDED within PT3S");
  }

  @Test
  void tellsOneEndMasked() {
    Farewell farewell =
        new Farewell(text -> text.replace("hunter2", "***"), (end, most) -> told.add(end.error()));
    farewell.tell(RunEnd.State.FAILED, "no hunter2", () -> Duration.ZERO);
    farewell.tell(RunEnd.State.INTERRUPTED, "later", () -> Duration.ZERO);
    assertThat(told).containsExactly("no ***");
  }
}
