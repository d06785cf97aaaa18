package dev.anneal.training;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.cuda.PinnedMemory;
import dev.anneal.training.tensor.Device;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Holds a GPU's streams up until a test has seen what it wants to, so that whoever does not wait
 * for them comes too early, however slow the host is. The streams wait for a word in page-locked
 * memory, which takes nothing of the GPU. In the current tensor scope, to be closed before that.
 *
 * <p>CUDA loads a kernel when it is first launched, and may wait for all that the GPU has to do
 * then: a test launches everything once before {@link #hold}.
 */
public final class BusyGpu implements AutoCloseable {
  /** Then whoever waits for the GPU on the host goes on, and finds {@link #isDone}. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final Device device;

  /** {@code [1]} int32: the last hold that is over. */
  private final IntPointer word;

  private final CudaEvent end;
  private int holds;
  private int over;
  private boolean gaveUp;

  /** Holds nothing up yet. */
  public BusyGpu(Device device) {
    this.device = device;
    Gpus.require(1);
    // makes the driver's context that of this thread
    torch_cuda.device_synchronize();
    word = new IntPointer(PinnedMemory.empty(device, ScalarType.Int, 1).data_ptr());
    word.put(0);
    end = new CudaEvent(device);
    begin();
  }

  /** From here on {@link #begin} holds streams up, until {@link #end}. */
  public synchronized void hold() {
    int held = ++holds;
    CompletableFuture.delayedExecutor(PATIENCE.toSeconds(), TimeUnit.SECONDS)
        .execute(() -> giveUp(held));
  }

  /**
   * The current stream does nothing that it is given from now on while there is a hold. Not
   * synchronized: where the stream is full it returns after {@link #giveUp} only.
   */
  public void begin() {
    try (CUDAStream current = torch_cuda.getCurrentCUDAStream((byte) device.cuda())) {
      // page-locked memory has the same address on the GPU
      int error =
          cudart.cuStreamWaitValue32(
              current.stream(), word.address(), holds, cudart.CU_STREAM_WAIT_VALUE_GEQ);
      assertThat(error).as("what cuStreamWaitValue32 returns").isEqualTo(cudart.cudaSuccess);
    }
    end.record();
  }

  /** Whether the stream in which it was begun last goes on, or has been held up for too long. */
  public synchronized boolean isDone() {
    return gaveUp || end.isDone();
  }

  /** Lets streams go on. */
  public synchronized void end() {
    over = holds;
    word.put(over);
  }

  private synchronized void giveUp(int held) {
    if (over < held) {
      gaveUp = true;
      end();
    }
  }

  @Override
  public void close() {
    end();
    // who has the word's memory next might hold up who still waits for it
    torch_cuda.device_synchronize();
    end.close();
  }
}
