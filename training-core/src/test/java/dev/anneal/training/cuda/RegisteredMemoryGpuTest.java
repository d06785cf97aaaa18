package dev.anneal.training.cuda;

import static dev.anneal.training.cuda.PageLocks.isLocked;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A GPU reads and writes it by itself, until it is closed. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class RegisteredMemoryGpuTest {
  private static final Device GPU = Device.gpu(0);
  private static final long MB = 1 << 20;
  private static final long LARGE = 512 * MB;

  private static RegisteredMemory allocate(int count, long bytes) {
    return RegisteredMemory.allocate(GPU, count, bytes, RegisteredMemory.threads(1), done -> {});
  }

  @Test
  void blocksAreLockedToTheirLastByte() {
    for (long bytes : new long[] {1, MB, 5 * MB + 123}) {
      try (RegisteredMemory memory = allocate(3, bytes)) {
        for (int i = 0; i < 3; i++) {
          Tensor block = memory.block(i);
          assertThat(block.nbytes()).isEqualTo(bytes);
          assertThat(isLocked(block)).as("block %s of %s", i, bytes).isTrue();
          Tensor end = block.narrow(0, bytes - 1, 1);
          assertThat(isLocked(end)).as("end of block %s of %s", i, bytes).isTrue();
        }
      }
    }
  }

  @Test
  void isNotLockedAfterwards() {
    RegisteredMemory memory = allocate(1, 5 * MB);
    Tensor view = memory.block(0).narrow(0, MB, MB);
    assertThat(isLocked(view)).isTrue();
    memory.close();
    assertThat(isLocked(view)).isFalse();
    memory.close();
  }

  @Test
  void manyBlocksGoThereAndBack() {
    int count = 9;
    long bytes = 3 * MB + 17;
    try (RegisteredMemory memory = allocate(count, bytes);
        RegisteredMemory back = allocate(count, bytes);
        CudaEvent end = new CudaEvent(GPU)) {
      Tensor device = Tensors.empty(GPU, ScalarType.Byte, count, bytes);
      for (int i = 0; i < count; i++) {
        memory.block(i).fill_(Tensors.scalar(i + 1));
        memory.block(i).narrow(0, bytes - 1, 1).fill_(Tensors.scalar(100 + i));
        device.select(0, i).copy_(memory.block(i), true);
        back.block(i).copy_(device.select(0, i), true);
      }
      end.record();
      end.synchronize();
      for (int i = 0; i < count; i++) {
        assertThat(back.block(i).equal(memory.block(i))).as("block %s", i).isTrue();
        assertThat(back.block(i).narrow(0, bytes - 1, 1).item_int()).isEqualTo(100 + i);
      }
    }
  }

  @Test
  void aCopyToTheDeviceDoesNotHoldUpTheHost() {
    try (RegisteredMemory memory = allocate(1, LARGE);
        CudaStream copies = CudaStream.of(GPU);
        CudaEvent end = new CudaEvent(GPU)) {
      memory.block(0).fill_(Tensors.scalar(7));
      Tensor device = Tensors.zeros(GPU, ScalarType.Byte, LARGE);
      end.record();
      copies.waitFor(end);
      try (CudaStream.Use on = copies.use()) {
        device.copy_(memory.block(0), true);
        end.record();
      }
      assertThat(end.isDone()).as("a copy of 512 MB is not done at once").isFalse();
      end.await();
      assertThat(device.min().item_int()).isEqualTo(7);
    }
  }

  @Test
  void aCopyToTheHostDoesNotHoldItUp() {
    try (RegisteredMemory memory = allocate(1, LARGE);
        CudaEvent end = new CudaEvent(GPU)) {
      Tensor device = Tensors.zeros(GPU, ScalarType.Byte, LARGE);
      device.fill_(Tensors.scalar(9));
      memory.block(0).copy_(device, true);
      end.record();
      assertThat(end.isDone()).as("a copy of 512 MB is not done at once").isFalse();
      end.synchronize();
      assertThat(memory.block(0).min().item_int()).isEqualTo(9);
    }
  }

  /** Several copies of what is freed, behind products, all enqueued when it is closed. */
  @Test
  void closingWaitsForCopiesThatAreOnTheirWay() {
    Tensor device = Tensors.zeros(GPU, ScalarType.Byte, LARGE);
    Tensor busy = Tensors.ones(GPU, ScalarType.BFloat16, 8192, 8192);
    RegisteredMemory memory = allocate(1, LARGE);
    memory.block(0).fill_(Tensors.scalar(7));
    try (TensorScope scope = new TensorScope();
        CudaEvent end = new CudaEvent(GPU)) {
      for (int i = 0; i < 50; i++) {
        busy.mm(busy);
      }
      for (int i = 0; i < 4; i++) {
        device.zero_();
        device.copy_(memory.block(0), true);
      }
      end.record();
      assertThat(end.isDone()).as("there is something to wait for").isFalse();
      memory.close();
      assertThat(end.isDone()).as("what used the memory is done when it is freed").isTrue();
    }
    assertThat(device.min().item_int()).isEqualTo(7);
    torch_cuda.device_synchronize();
  }

  @Test
  void theSameMemoryIsThereManyTimesOver() {
    for (int i = 0; i < 20; i++) {
      try (RegisteredMemory memory = allocate(4, 64 * MB)) {
        Tensor device = Tensors.ones(GPU, ScalarType.Byte, 64 * MB);
        device.copy_(memory.block(i % 4), true);
        assertThat(device.max().item_int()).as("zeros, round %s", i).isZero();
      }
    }
  }

  @Test
  void takesNothingOfTheDevice() {
    GpuMemory memory = new GpuMemory(GPU);
    Tensors.zeros(GPU, ScalarType.Byte, 1);
    long before = memory.allocatedBytes();
    try (RegisteredMemory registered = allocate(2, LARGE)) {
      assertThat(registered.bytes()).isEqualTo(2 * LARGE);
      assertThat(memory.allocatedBytes()).isEqualTo(before);
    }
  }

  @Test
  void saysHowMuchTheHostHasNotAndTheDeviceGoesOn() {
    assertThatThrownBy(() -> allocate(2, 1L << 50))
        .isInstanceOf(PinnedMemoryException.class)
        .hasMessageStartingWith("the host has no 2251799.81 GB of pinned memory left (");
    assertThat(Tensors.ones(GPU, ScalarType.Float, 10).sum().item_double()).isEqualTo(10);
  }

  /** A lock that fails leaves no error behind that libtorch would take for its own. */
  @Test
  void aPageThatIsLockedTwiceIsAnErrorOnceTold() {
    PageLock lock = PageLock.of(GPU);
    try (RegisteredMemory memory = allocate(1, MB)) {
      assertThat(isLocked(memory.block(0))).as("locked once").isTrue();
      var start = Tensors.bytes(memory.block(0), 0);
      assertThat(lock.lock(start, MB))
          .hasValueSatisfying(cause -> assertThat(cause).startsWith("cudaHostRegister on GPU 0: "));
      Tensor sum = Tensors.ones(GPU, ScalarType.Float, 10).mul(new Scalar(2.0)).sum();
      assertThat(sum.item_double()).isEqualTo(20);
      assertThat(isLocked(memory.block(0))).as("still locked").isTrue();
    }
  }
}
