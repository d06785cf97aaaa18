package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MemoryLimitTest {
  private static final long H200 = 150_000_000_000L;
  private static final long CONTEXT = 700_000_000L;

  @AfterEach
  void withoutLimit() {
    System.clearProperty(MemoryLimit.PROPERTY);
  }

  @Test
  void aGpuHasAllOfItsMemoryUnlessItIsLimited() {
    assertThat(MemoryLimit.of(H200)).isEqualTo(H200);
    System.setProperty(MemoryLimit.PROPERTY, "80GB");
    assertThat(MemoryLimit.of(H200)).isEqualTo(80_000_000_000L);
    // a limit adds nothing
    assertThat(MemoryLimit.of(24_000_000_000L)).isEqualTo(24_000_000_000L);
  }

  /** As a GPU of 80 GB would have it, of which a context takes its part too. */
  @Test
  void libtorchGetsWhatTheContextLeaves() {
    System.setProperty(MemoryLimit.PROPERTY, "80GB");
    assertThat(MemoryLimit.fraction(H200, CONTEXT) * H200).isCloseTo(79.3e9, within(1.0));
    System.setProperty(MemoryLimit.PROPERTY, "500MB");
    assertThat(MemoryLimit.fraction(H200, CONTEXT)).isZero();
  }

  @Test
  void refusesWhatIsNoSize() {
    System.setProperty(MemoryLimit.PROPERTY, "80");
    assertThatThrownBy(() -> MemoryLimit.of(H200))
        .isInstanceOf(GpuException.class)
        .hasMessageContaining("anneal.gpu.memory is '80', but must be the memory of a GPU");
  }
}
