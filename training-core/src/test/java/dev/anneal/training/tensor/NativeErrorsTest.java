package dev.anneal.training.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class NativeErrorsTest {
  private static final String FULL =
      """
      NCCL error in: /build/csrc/ProcessGroupNCCL.cpp:3754, unhandled system error, NCCL version 2.28.3
      ncclSystemError: System call (e.g. socket, malloc) or external library call failed.\s
      Last error:
      Error while creating shared memory segment /dev/shm/nccl-M0De2H, error: No space left on device
      Exception raised from collective at /build/csrc/ProcessGroupNCCL.cpp:3754
      """;

  @Test
  void leavesTheStackTraceOut() {
    assertThat(firstLine("too large\nException raised from x")).isEqualTo("too large");
  }

  @Test
  void namesTheCauseThatNcclGives() {
    assertThat(firstLine(FULL))
        .isEqualTo(
            "Error while creating shared memory segment /dev/shm/nccl-M0De2H, error: No space left on device"
                + " (unhandled system error, NCCL version 2.28.3)");
  }

  @Test
  void saysNothingMoreWhereNcclGivesNone() {
    assertThat(firstLine("NCCL error in: /a.cpp:1, remote error\nx\nLast error:\n"))
        .isEqualTo("remote error");
  }

  @Test
  void namesTheKindWhereThereIsNoMessage() {
    assertThat(firstLine("")).contains("RuntimeException");
  }

  private static String firstLine(String message) {
    return NativeErrors.firstLine(new RuntimeException(message));
  }
}
