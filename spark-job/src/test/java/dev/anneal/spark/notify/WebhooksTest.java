package dev.anneal.spark.notify;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.ServerProcess;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.AnnealConfig.WebhookFormat;
import dev.anneal.spark.tracking.RunEnd;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WebhooksTest {
  private static final Duration SHORT = Duration.ofMillis(20);
  private static final Webhooks.Patience PATIENCE =
      new Webhooks.Patience(Duration.ofSeconds(20), List.of(SHORT, SHORT));

  private static final RunEnd SUCCEEDED = new RunEnd(RunEnd.State.SUCCEEDED, null);
  private static final RunEnd FAILED =
      new RunEnd(RunEnd.State.FAILED, "Rank 1 on <b>: no memory & no time.");

  private final List<String> said = new ArrayList<>();
  private Hook hook;

  @BeforeEach
  void start() throws IOException {
    hook = new Hook();
  }

  @AfterEach
  void stop() {
    hook.close();
  }

  @Test
  void tellsHowARunHasEnded() {
    tell(WebhookFormat.AUTO, FAILED);
    JsonNode told = hook.only();
    assertThat(told.path("state").asText()).isEqualTo("failed");
    assertThat(told.path("error").asText()).isEqualTo("Rank 1 on <b>: no memory & no time.");
    assertThat(told.path("command").asText()).isEqualTo("train");
    assertThat(told.path("output").asText()).isEqualTo("s3a://runs/one");
    assertThat(told.path("application_id").asText()).isEqualTo("app-1");
    assertThat(told.path("started_at").asText()).isEqualTo("2026-11-29T10:00:00Z");
    assertThat(told.path("ended_at").asText()).isEqualTo("2026-11-29T10:01:30Z");
    assertThat(told.path("seconds").asDouble()).isEqualTo(90);
    assertThat(told.path("step").asLong()).isEqualTo(1200);
    assertThat(told.path("steps").asLong()).isEqualTo(4000);
    assertThat(told.path("loss").asDouble()).isEqualTo(1.25);
    assertThat(told.path("eval_loss").isNull()).isTrue();
    assertThat(said).isEmpty();
  }

  @Test
  void tellsSlackInItsOwnForm() {
    tell(WebhookFormat.SLACK, FAILED);
    assertThat(hook.only().properties()).hasSize(1);
    assertThat(hook.only().path("text").asText())
        .isEqualTo(
            "Anneal train has failed after step 1,200 of 4,000, loss 1.2500: Rank 1 on &lt;b&gt;: no memory &amp; no time. Output: s3a://runs/one");
  }

  @Test
  void saysInterruptedAndSucceededInWords() {
    RunEnd interrupted = new RunEnd(RunEnd.State.INTERRUPTED, "It was told to end.");
    assertThat(notice(interrupted).sentence()).startsWith("Anneal train was interrupted after");
    assertThat(notice(SUCCEEDED).sentence())
        .isEqualTo(
            "Anneal train has succeeded after step 1,200 of 4,000, loss 1.2500. Output: s3a://runs/one");
  }

  @Test
  void tellsOnlyWhoIsToBeTold() {
    Webhooks onFailure = webhooks(null, hook.address(), WebhookFormat.AUTO);
    onFailure.tell(notice(SUCCEEDED), PATIENCE);
    assertThat(hook.told()).isEmpty();
    onFailure.tell(notice(new RunEnd(RunEnd.State.INTERRUPTED, null)), PATIENCE);
    assertThat(hook.only().path("state").asText()).isEqualTo("interrupted");
    webhooks(hook.address(), null, WebhookFormat.AUTO).tell(notice(FAILED), PATIENCE);
    assertThat(hook.told()).hasSize(1);
  }

  @Test
  void triesAgainWhereThatMayHelp() {
    hook.answer(503, 429);
    tell(WebhookFormat.JSON, FAILED);
    assertThat(hook.told()).hasSize(3);
    assertThat(said).isEmpty();
  }

  @Test
  void givesUpWithASentenceThatHasNoAddress() {
    hook.answer(500, 500, 500, 500);
    tell(WebhookFormat.JSON, FAILED);
    assertThat(hook.told()).hasSize(3);
    assertThat(said).containsExactly("The webhook at 127.0.0.1 was not told: it answers 500.");
  }

  @Test
  void doesNotTryAgainWhereItIsRefusedOrSentElsewhere() {
    hook.answer(404, 302);
    tell(WebhookFormat.JSON, FAILED);
    tell(WebhookFormat.JSON, FAILED);
    assertThat(hook.told()).hasSize(2);
    assertThat(said)
        .containsExactly(
            "The webhook at 127.0.0.1 was not told: it answers 404.",
            "The webhook at 127.0.0.1 was not told: it answers 302.");
  }

  @Test
  void waitsForNobodyForLongerThanItMay() {
    hook.beSilent();
    Webhooks.Patience little = new Webhooks.Patience(Duration.ofMillis(300), List.of(SHORT));
    long start = System.nanoTime();
    webhooks(null, hook.address(), WebhookFormat.JSON).tell(notice(FAILED), little);
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
    assertThat(said)
        .containsExactly("The webhook at 127.0.0.1 was not told: it does not answer in time.");
  }

  @Test
  void aProcessThatIsToldToEndWaitsNoLongerThanItHas() {
    hook.beSilent();
    webhooks(null, hook.address(), WebhookFormat.JSON)
        .tell(notice(new RunEnd(RunEnd.State.INTERRUPTED, null)), Duration.ZERO);
    assertThat(said).singleElement().asString().startsWith("The webhook at 127.0.0.1 was not told");
    assertThat(Webhooks.Patience.INTERRUPTED.within(Duration.ofMillis(300)).answer())
        .isEqualTo(Duration.ofMillis(300));
    assertThat(Webhooks.Patience.INTERRUPTED.within(Duration.ofMinutes(1)))
        .isEqualTo(Webhooks.Patience.INTERRUPTED);
  }

  @Test
  void saysThatNobodyListens() throws IOException {
    String nobody = "http://127.0.0.1:%s/%s".formatted(ServerProcess.freePort(), Hook.SECRET);
    webhooks(null, nobody, WebhookFormat.JSON).tell(notice(FAILED), PATIENCE);
    assertThat(said)
        .containsExactly("The webhook at 127.0.0.1 was not told: there is no connection to it.");
  }

  @Test
  void itsAddressAndTheRestBehindItsHostAreSecret() {
    AnnealConfig.Webhooks config =
        new AnnealConfig.Webhooks(
            "https://hooks.slack.com/services/T0/B0/x", "https://h/x", WebhookFormat.AUTO);
    assertThat(Webhooks.secrets(config))
        .containsExactly(
            "https://hooks.slack.com/services/T0/B0/x", "/services/T0/B0/x", "https://h/x");
  }

  private void tell(WebhookFormat format, RunEnd end) {
    webhooks(hook.address(), hook.address(), format).tell(notice(end), PATIENCE);
  }

  private Webhooks webhooks(String onSuccess, String onFailure, WebhookFormat format) {
    return new Webhooks(new AnnealConfig.Webhooks(onSuccess, onFailure, format), said::add);
  }

  private static Notice notice(RunEnd end) {
    return new Notice(
        end,
        "train",
        "s3a://runs/one",
        "app-1",
        Instant.parse("2026-11-29T10:00:00Z"),
        Instant.parse("2026-11-29T10:01:30Z"),
        new Notice.Progress(1200, 4000, 1.25, Double.NaN));
  }
}
