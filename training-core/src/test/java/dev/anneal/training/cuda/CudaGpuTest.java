package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@Tag("gpu")
@ExtendWith(InTensorScope.class)
class CudaGpuTest {
  private static final Device GPU = Device.gpu(0);
  private static final long MB = 1 << 20;

  @Test
  void aStreamWaitsForTheEventOfAnother() {
    try (CudaStream copies = CudaStream.of(GPU);
        CudaEvent filled = new CudaEvent(GPU, CudaEvent.Timing.ON);
        CudaEvent start = new CudaEvent(GPU, CudaEvent.Timing.ON)) {
      Tensor host = PinnedMemory.empty(GPU, ScalarType.Int, 64 * MB);
      host.fill_(Tensors.scalar(7));
      assertThat(host.is_pinned()).isTrue();
      Tensor device = Tensors.zeros(GPU, ScalarType.Int, 64 * MB);
      filled.record();
      copies.waitFor(filled);
      try (CudaStream.Use on = copies.use()) {
        start.record();
        device.copy_(host, true);
        filled.record();
      }
      assertThat(filled.isDone()).as("a copy of 256 MB is not done at once").isFalse();
      filled.await();
      assertThat(device.min().item_int()).isEqualTo(7);
      assertThat(filled.millisSince(start)).isBetween(1.0, 1000.0);
    }
  }

  @Test
  void countsWhatTensorsTake() {
    GpuMemory memory = new GpuMemory(GPU);
    Tensors.zeros(GPU, ScalarType.Byte, 1);
    memory.resetPeak();
    long before = memory.allocatedBytes();
    try (TensorScope scope = new TensorScope()) {
      Tensors.zeros(GPU, ScalarType.Byte, 100 * MB);
      assertThat(memory.allocatedBytes() - before).isEqualTo(100 * MB);
    }
    assertThat(memory.allocatedBytes()).isEqualTo(before);
    assertThat(memory.peakAllocatedBytes() - before).isEqualTo(100 * MB);
    assertThat(memory.peakReservedBytes()).isGreaterThanOrEqualTo(memory.peakAllocatedBytes());
    assertThat(memory.freeBytes()).isBetween(1L, memory.totalBytes());
  }

  @Test
  void aLimitedGpuIsASmallerOne() {
    GpuMemory memory = new GpuMemory(GPU);
    Tensors.zeros(GPU, ScalarType.Byte, 1);
    memory.emptyOwnCache();
    long whole = memory.totalBytes();
    long held = whole - memory.freeBytes();
    System.setProperty(MemoryLimit.PROPERTY, (held / MB + 1024) + "MiB");
    try {
      Gpus.bind(GPU);
      assertThat(memory.totalBytes()).isEqualTo((held / MB + 1024) * MB);
      assertThat(memory.freeBytes()).isBetween(1000 * MB, 1024 * MB);
      try (TensorScope scope = new TensorScope()) {
        Tensors.zeros(GPU, ScalarType.Byte, 900 * MB);
        assertThatThrownBy(() -> Tensors.zeros(GPU, ScalarType.Byte, 200 * MB))
            .hasMessageContaining("CUDA out of memory");
      }
    } finally {
      System.clearProperty(MemoryLimit.PROPERTY);
      torch_cuda.getAllocator().setMemoryFraction(1, (byte) 0);
    }
    assertThat(memory.totalBytes()).isEqualTo(whole);
  }

  @Test
  void threadsHaveStreamsOfTheirOwn() {
    CompletableFuture<?>[] threads =
        Stream.generate(() -> CompletableFuture.runAsync(CudaGpuTest::addOnAStream))
            .limit(4)
            .toArray(CompletableFuture[]::new);
    CompletableFuture.allOf(threads).join();
  }

  private static void addOnAStream() {
    try (TensorScope scope = new TensorScope();
        CudaStream stream = CudaStream.of(GPU);
        CudaEvent done = new CudaEvent(GPU)) {
      Tensor sum = Tensors.zeros(GPU, ScalarType.Float, MB);
      done.record();
      stream.waitFor(done);
      for (int i = 0; i < 100; i++) {
        try (CudaStream.Use on = stream.use()) {
          sum.add_(Tensors.scalar(1));
          done.record();
        }
        done.await();
        sum.add_(Tensors.scalar(1));
        done.record();
        stream.waitFor(done);
      }
      assertThat(sum.min().item_double()).isEqualTo(200);
      assertThat(sum.max().item_double()).isEqualTo(200);
    }
  }
}
