package dev.anneal.spark.progress;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Configurator;
import org.apache.logging.log4j.core.config.Property;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What stands in the log of a driver, where YARN and Kubernetes keep it. */
class ProgressLogTest {
  private final Logger logger = (Logger) LogManager.getLogger(ProgressLog.class);
  private final Level before = logger.getLevel();
  private final Kept kept = new Kept();
  private long nanos;

  @BeforeEach
  void listen() {
    kept.start();
    logger.addAppender(kept);
    Configurator.setLevel(ProgressLog.class, Level.INFO);
  }

  @AfterEach
  void leave() {
    logger.removeAppender(kept);
    Configurator.setLevel(ProgressLog.class, before);
  }

  @Test
  void holdsWhatStaysAndEveryHalfMinuteHowFarItIs() {
    ProgressDisplay display =
        new ProgressDisplay(
            new PrintWriter(new StringWriter()),
            ProgressDisplay.Medium.TERMINAL,
            () -> nanos,
            text -> text.replace("hunter2", "*********"));
    display.line("Training with hunter2 ...");
    for (int step = 1; step <= 100; step++) {
      display.step(
          new StepMetrics(
              step, 2.0, 0.5, 1e-4, 30, 100, 1234.5, 1L << 20, 0.1, false, StepTimes.UNKNOWN),
          100);
      nanos += Duration.ofSeconds(1).toNanos();
    }
    display.evaluation(100, 1.5);
    List<String> lines = kept.lines;
    assertThat(lines.get(0)).isEqualTo("Training with ********* ...");
    // the first, every thirtieth second, and the last
    assertThat(lines.subList(1, lines.size() - 1))
        .satisfiesExactly(
            line -> assertThat(line).contains("1/100"),
            line -> assertThat(line).contains("31/100"),
            line -> assertThat(line).contains("61/100"),
            line -> assertThat(line).contains("91/100"),
            line -> assertThat(line).contains("100/100"));
    assertThat(lines.get(lines.size() - 1)).startsWith("held-out loss 1.5000");
  }

  /** Keeps what is logged. */
  private static final class Kept extends AbstractAppender {
    private final List<String> lines = new CopyOnWriteArrayList<>();

    Kept() {
      super("kept", null, null, true, Property.EMPTY_ARRAY);
    }

    @Override
    public void append(LogEvent event) {
      lines.add(event.getMessage().getFormattedMessage());
    }
  }
}
