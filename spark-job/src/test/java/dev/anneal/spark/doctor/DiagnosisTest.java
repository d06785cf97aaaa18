package dev.anneal.spark.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class DiagnosisTest {
  @Test
  void whatStopsARunIsSaidOnceWithThePlacesItWasSeenAt() {
    Finding missing = Finding.stopping("The library libnccl.so.2 is missing: install it.");
    Diagnosis diagnosis =
        new Diagnosis(
            List.of(
                place("driver", Map.of("java", Finding.of("17"))),
                place("executor 0", Map.of("libtorch", missing)),
                place("executor 1", Map.of("libtorch", missing))),
            UnaryOperator.identity());
    assertThat(diagnosis.stops())
        .containsExactly(
            "executor 0, executor 1: The library libnccl.so.2 is missing: install it.");
    assertThat(diagnosis.text().lines())
        .containsExactly(
            "          driver  executor 0  executor 1",
            "host      here    here        here",
            "java      17",
            "libtorch          FAILS       FAILS",
            "",
            "This would stop a run:",
            "- executor 0, executor 1: The library libnccl.so.2 is missing: install it.");
  }

  @Test
  void secretsAreTakenOut() {
    Diagnosis diagnosis =
        new Diagnosis(
            List.of(place("driver", Map.of("hub", Finding.stopping("no key-1234 there")))),
            text -> text.replace("key-1234", "***"));
    assertThat(diagnosis.text() + diagnosis.json()).contains("no *** there").doesNotContain("1234");
  }

  @Test
  void aReportComesBackAsItWasSent() {
    Map<String, Finding> checks = new LinkedHashMap<>();
    checks.put("java", Finding.of("17"));
    checks.put("glibc", Finding.stopping("too old"));
    PlaceReport report = place("executor 7", checks);
    assertThat(PlaceReport.parse(report.toJson())).isEqualTo(report);
  }

  @Test
  void aLookThatHangsIsLeftBehind() {
    CountDownLatch never = new CountDownLatch(1);
    Looks looks = new Looks();
    looks.require(
        "storage",
        Duration.ofMillis(50),
        () -> {
          never.await();
          return "";
        },
        cause -> "The storage says nothing (" + cause + ").");
    looks.add(
        "hub",
        () -> {
          throw new IllegalStateException("no connection");
        });
    assertThat(looks.found().get("storage").stops())
        .isEqualTo("The storage says nothing (no answer in 0.05 s).");
    assertThat(looks.found().get("hub")).isEqualTo(Finding.of("? no connection"));
  }

  private static PlaceReport place(String name, Map<String, Finding> checks) {
    return new PlaceReport(name, "here", checks);
  }
}
