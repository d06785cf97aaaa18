package dev.anneal.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class LeavingTest {
  private final List<String> done = new ArrayList<>();
  private long nanos = 17;

  @Test
  void whatTakesAllTheTimeThatItGetsLeavesSomeForTheEndOfSpark() {
    new Leaving(new Slow(Duration.ofSeconds(25)), () -> nanos).run();
    assertThat(done)
        .containsExactly(
            "leave within 27 s",
            "say gone within 2 s",
            "record gone",
            "page gone within 0 s",
            "let go",
            "webhook gone within 0 s",
            "trackers gone within 0 s",
            "close");
    assertThat(Duration.ofNanos(nanos - 17)).isEqualTo(Leaving.WAITING);
  }

  @Test
  void eachHasTwoSecondsWhereThereIsTime() {
    new Leaving(new Slow(Duration.ofSeconds(20)), () -> nanos).run();
    assertThat(done)
        .containsExactly(
            "leave within 27 s",
            "say gone within 2 s",
            "record gone",
            "page gone within 2 s",
            "let go",
            "webhook gone within 2 s",
            "trackers gone within 1 s",
            "close");
  }

  /** Takes all the time that it may. */
  private final class Slow implements Leaving.Work {
    private final Duration leaves;

    Slow(Duration leaves) {
      this.leaves = leaves;
    }

    @Override
    public String leave(Duration most) {
      done.add("leave within %s s".formatted(most.toSeconds()));
      nanos += leaves.toNanos();
      return "gone";
    }

    @Override
    public void say(String sentence, Duration most) {
      take("say " + sentence, most);
    }

    @Override
    public void record(String sentence) {
      done.add("record " + sentence);
    }

    @Override
    public void page(String sentence, Duration most) {
      take("page " + sentence, most);
    }

    @Override
    public void letGoOfFolder() {
      done.add("let go");
    }

    @Override
    public void tell(String sentence, Supplier<Duration> most) {
      take("webhook " + sentence, most.get());
      take("trackers " + sentence, most.get());
    }

    @Override
    public void closeSession() {
      done.add("close");
    }

    private void take(String what, Duration most) {
      done.add("%s within %s s".formatted(what, most.toSeconds()));
      nanos += most.toNanos();
    }
  }
}
