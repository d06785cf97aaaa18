package dev.anneal.training.cudnn;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class CudnnVersionTest {
  @Test
  void aVersionThatComputesSomethingElseIsRefused() {
    assertThatThrownBy(() -> Cudnn.require(91400))
        .isInstanceOf(CudnnException.class)
        .hasMessage(
            "cuDNN 9.14.0 is here and 9.19 is needed: put a newer one first in LD_LIBRARY_PATH");
    assertThatCode(() -> Cudnn.require(91900)).doesNotThrowAnyException();
  }
}
