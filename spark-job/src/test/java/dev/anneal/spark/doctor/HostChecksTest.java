package dev.anneal.spark.doctor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/**
 * Texts of a host, and what is made of them. The one line of an H200 was read on that machine; the
 * others are made after what the tools print.
 */
class HostChecksTest {
  @Test
  void readsTheLimitsOfAProcess() {
    ProcessLimits limits =
        new ProcessLimits(
            """
            Limit                     Soft Limit           Hard Limit           Units
            Max core file size        0                    unlimited            bytes
            Max open files            20000                20000                files
            Max locked memory         8388608              unlimited            bytes
            Max processes             unlimited            unlimited            processes
            """);
    assertThat(limits.soft(ProcessLimits.OPEN_FILES)).hasValue(20_000);
    assertThat(limits.soft(ProcessLimits.LOCKED_MEMORY)).hasValue(8 << 20);
    assertThat(limits.soft("Max processes")).isEmpty();
    assertThatThrownBy(() -> limits.soft("Max file locks")).hasMessageContaining("not told");
  }

  @Test
  void readsWhatNvidiaSmiSays() {
    // one H200 of 2026-11-28, and two
    assertThat(NvidiaSmi.summary("NVIDIA H200, 143771, 580.159.04\n"))
        .isEqualTo("1 x NVIDIA H200, 140 GiB, driver 580.159.04");
    assertThat(
            NvidiaSmi.summary(
                """
                NVIDIA H200, 143771, 580.159.04
                NVIDIA H200, 143771, 580.159.04
                NVIDIA A10G, [N/A], 580.159.04
                """))
        .isEqualTo(
            "2 x NVIDIA H200, 140 GiB, driver 580.159.04; 1 x NVIDIA A10G, [N/A], driver 580.159.04");
    assertThatThrownBy(() -> NvidiaSmi.summary("No devices were found\n"))
        .hasMessage("No devices were found");
    assertThatThrownBy(() -> NvidiaSmi.summary("")).hasMessageContaining("says nothing");
  }

  @Test
  void asksForAGlibcThatLibtorchLoadsWith() throws IOException {
    int train = HostChecks.GLIBC_TO_TRAIN;
    assertThat(HostChecks.glibc("glibc 2.35", train)).isEqualTo("2.35");
    // Amazon Linux 2023, where data can be prepared
    assertThatThrownBy(() -> HostChecks.glibc("glibc 2.34", train))
        .hasMessage("this is glibc 2.34");
    assertThat(HostChecks.glibc("glibc 2.34", HostChecks.GLIBC_TO_PREPARE)).isEqualTo("2.34");
    assertThatThrownBy(() -> HostChecks.glibc("musl", train)).hasMessage("this is musl");
  }

  @Test
  void readsWhatMemoryIsFree() {
    assertThat(
            HostChecks.memory(
                """
                MemTotal:       24604672 kB
                MemFree:         9046356 kB
                MemAvailable:   22020096 kB
                """))
        .isEqualTo("21.0 GiB of 23.5 GiB free");
  }

  @Test
  void aClockThatIsFarOffStopsARun() {
    assertThat(ClockChecks.finding(10_030, 10_000, 10_040)).isEqualTo(Finding.of("+10 ms, +-20"));
    assertThat(ClockChecks.finding(10_000, 310_010, 310_030).stops())
        .startsWith("The clock is -300 s off");
  }
}
