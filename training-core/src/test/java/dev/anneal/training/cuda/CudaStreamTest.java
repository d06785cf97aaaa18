package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(InTensorScope.class)
class CudaStreamTest {

  @Test
  void onTheHostWorkIsDoneAtOnce() {
    try (CudaStream stream = CudaStream.of(Device.CPU);
        CudaEvent start = new CudaEvent(Device.CPU, CudaEvent.Timing.ON);
        CudaEvent end = new CudaEvent(Device.CPU, CudaEvent.Timing.ON)) {
      try (CudaStream.Use on = stream.use()) {
        start.record();
        end.record();
      }
      stream.waitFor(end);
      stream.synchronize();
      assertThat(end.isDone()).isTrue();
      assertThat(end.millisSince(start)).isBetween(0.0, 1000.0);
      assertThat(new GpuMemory(Device.CPU).peakAllocatedBytes()).isZero();
    }
  }
}
