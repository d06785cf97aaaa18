package dev.anneal.training.fused;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Consumer;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * How long attention takes a layer on the first GPU, forward and deterministic backward, by either
 * library, at the heads of Llama 3.1 8B and 70B; and how long the first call of either takes on the
 * host, which makes a plan. 32 and 33 rows of an instruction data set, whose plans are for 32 and
 * 48, tell what empty rows of a plan cost.
 */
public final class AttentionTimings {
  private static final Device GPU = Device.gpu(0);
  private static final int RUNS = 15;

  /** A backward has five products where a forward has two. */
  private static final double BACKWARD = 2.5;

  private AttentionTimings() {}

  /** Prints a line for each shape and library. */
  public static void main(String[] arguments) {
    NativeLibraries.load();
    torch_cuda.set_device((byte) GPU.cuda());
    GpuMath.deterministic();
    Consumer<String> notice = System.out::println;
    int[] short256 = new int[16];
    Arrays.fill(short256, 256);
    try (TensorScope scope = new TensorScope();
        CudnnAttention cudnn = new CudnnAttention(GPU, notice)) {
      for (RowAttention attention : new RowAttention[] {new FlashAttention(), cudnn}) {
        measure(attention, 32, 1024, 1024, 1024, 1024);
        measure(attention, 32, 2048, 2048);
        measure(attention, 32, 4096);
        measure(attention, 32, 32_768);
        measure(attention, 32, short256);
        measure(attention, 32, 1024, 1, 500, 37, 1000, 534, 1000);
        measure(attention, 64, 1024, 1024, 1024, 1024);
        measure(attention, 32, instructions(32));
        measure(attention, 32, instructions(33));
      }
      torch_cuda.device_synchronize();
    }
  }

  /** Rows of 44 to 416 tokens. */
  private static int[] instructions(int rows) {
    int[] lengths = new int[rows];
    Arrays.setAll(lengths, row -> 44 + 12 * (row * 7 % 32));
    return lengths;
  }

  private static void measure(RowAttention attention, int heads, int... lengths) {
    try (TensorScope scope = new TensorScope()) {
      AttentionSample sample = AttentionSample.of(GPU, heads, 8, 128, lengths);
      long begin = System.nanoTime();
      RowAttention.Output output = sample.forward(attention);
      long between = System.nanoTime();
      sample.backward(attention, output);
      long end = System.nanoTime();
      double forward = micros(() -> sample.forward(attention));
      double backward = micros(() -> sample.backward(attention, output));
      double operations = sample.forwardOperations();
      System.out.printf(
          Locale.ROOT,
          "RESULT %s, %s heads, %s rows, the longest of %s: forward %.0f us (%.0f TFLOP/s), backward %.0f us (%.0f TFLOP/s), first calls %.0f and %.0f ms%n",
          attention.getClass().getSimpleName(),
          heads,
          lengths.length,
          Arrays.stream(lengths).max().getAsInt(),
          forward,
          operations / forward / 1e6,
          backward,
          BACKWARD * operations / backward / 1e6,
          (between - begin) / 1e6,
          (end - between) / 1e6);
    }
  }

  /** The median of some runs on the device. */
  private static double micros(Runnable work) {
    double[] micros = new double[RUNS];
    for (int run = -3; run < RUNS; run++) {
      try (TensorScope scope = new TensorScope();
          CudaEvent begin = new CudaEvent(GPU, CudaEvent.Timing.ON);
          CudaEvent end = new CudaEvent(GPU, CudaEvent.Timing.ON)) {
        // the host is ahead, so that only the device's time counts
        work.run();
        begin.record();
        work.run();
        end.record();
        end.synchronize();
        if (run >= 0) {
          micros[run] = end.millisSince(begin) * 1e3;
        }
      }
    }
    Arrays.sort(micros);
    return micros[RUNS / 2];
  }
}
