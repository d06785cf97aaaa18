package dev.anneal.training.kernel;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.kernel.Kernels.AdamWStep;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * How long each kernel takes on the first GPU at the shapes of Llama 3.1 8B with 4,096 tokens, and
 * how much memory it moves meanwhile; L2 is cold. With argument {@code sweep}: for every number of
 * vectors that a thread may keep; with {@code twin}: libtorch's time too.
 */
public final class KernelTimings {
  private static final Device GPU = Device.gpu(0);
  private static final int RUNS = 15;
  private static final long T = 4096;
  private static final long D = 4096;
  private static final long I = 14336;
  private static final long HEADS = 32;
  private static final long KV_HEADS = 8;
  private static final long HEAD_DIM = 128;
  private static final long QKV = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
  private static final long V = 128256;
  private static final long PARAMETERS = 40_000_000;

  private final Tensor flush = Tensors.empty(GPU, ScalarType.Byte, 256 << 20);
  private final Tensor weight = random(D);
  private final Tensor rstd = Tensors.ones(GPU, ScalarType.Float, T);
  private final Tensor x = random(T, D);
  private final Tensor y = random(T, D);
  private final Tensor residual = random(T, D);
  private final Tensor qkv = random(T, QKV);
  private final Tensor dQ = random(T, HEADS, HEAD_DIM);
  private final Tensor dK = random(T, KV_HEADS, HEAD_DIM);
  private final Tensor dV = random(T, KV_HEADS, HEAD_DIM);
  private final Tensor angles = Tensors.ones(GPU, ScalarType.Float, T, HEAD_DIM);
  private final Tensor gateUp = random(T, 2 * I);
  private final Tensor dOutput = random(T, I);
  private final Tensor columns = Tensors.ones(GPU, ScalarType.Float, 2 * I);
  private final Tensor bytes = Tensors.zeros(GPU, ScalarType.Byte, 2 * I, D);
  private final Tensor into = Tensors.empty(GPU, ScalarType.Byte, 2 * I * D);
  private final Tensor logits = random(1024, V);
  private final Tensor targets = Tensors.zeros(GPU, ScalarType.Long, 1024);
  private final Tensor p = Tensors.zeros(GPU, ScalarType.Float, PARAMETERS);
  private final Tensor m = Tensors.zeros(GPU, ScalarType.Float, PARAMETERS);
  private final Tensor v = Tensors.ones(GPU, ScalarType.Float, PARAMETERS);
  private final Tensor g = Tensors.ones(GPU, ScalarType.Float, PARAMETERS);
  private final Tensor compute = Tensors.zeros(GPU, ScalarType.BFloat16, PARAMETERS);
  private final Tensor one = Tensors.ones(GPU, ScalarType.Float, 1);

  private KernelTimings() {}

  /** What is timed, and how many bytes it has to move. */
  private record Work(String name, long bytes, String kernel, Runnable run) {}

  public static void main(String[] args) {
    List<String> wanted = Arrays.asList(args);
    NativeLibraries.load();
    torch_cuda.set_device((byte) 0);
    try (TensorScope scope = new TensorScope()) {
      KernelTimings timings = new KernelTimings();
      System.out.printf("%-44s %10s %8s %8s %8s%n", "kernel", "us", "MB", "TB/s", "host us");
      try (CudaKernels kernels = new CudaKernels(GPU)) {
        timings.works(kernels).forEach(work -> timings.print("", work));
      }
      if (wanted.contains("twin")) {
        timings.works(new PlainKernels()).forEach(work -> timings.print("libtorch ", work));
      }
      if (wanted.contains("sweep")) {
        for (int steps = 1; steps <= 7; steps++) {
          timings.sweep(steps);
        }
      }
    }
  }

  private void sweep(int steps) {
    try (CudaKernels kernels = new CudaKernels(GPU, kernel -> steps)) {
      works(kernels).stream()
          .filter(work -> work.kernel() != null)
          .forEach(work -> print(steps + " x ", work));
    }
  }

  private List<Work> works(Kernels k) {
    long row = T * D;
    Tensor qk = qkv.narrow(1, 0, (HEADS + KV_HEADS) * HEAD_DIM).view(T, HEADS + KV_HEADS, HEAD_DIM);
    Tensor qkvColumns = columns.narrow(0, 0, QKV);
    Tensor dColumns = columns.narrow(0, 0, D);
    AdamWStep step = new AdamWStep(1e-4, 0, 0.9, 0.999, 1e-8, 0.1, 0.001);
    return List.of(
        new Work("rmsNorm", 4 * row, "rms_norm", () -> k.rmsNorm(x, weight, 1e-5, Matmul.COMPUTE)),
        new Work("rmsNorm, FP8", 5 * row, "rms_norm", () -> k.rmsNorm(x, weight, 1e-5, Matmul.FP8)),
        new Work(
            "addRmsNorm, FP8",
            9 * row,
            "rms_norm",
            () -> k.addRmsNorm(x, y, weight, 1e-5, Matmul.FP8)),
        new Work(
            "rmsNormBackward",
            8 * row,
            "rms_norm_backward",
            () -> k.rmsNormBackward(y, x, rstd, weight, residual, null)),
        new Work(
            "rmsNormBackward, FP8",
            9 * row,
            "rms_norm_backward",
            () -> k.rmsNormBackward(y, x, rstd, weight, residual, dColumns)),
        new Work("rope", 4 * T * (HEADS + KV_HEADS) * HEAD_DIM, null, () -> k.rope(qk, angles)),
        new Work(
            "ropeBackward, FP8",
            5 * T * QKV,
            "rope_backward",
            () -> k.ropeBackward(dQ, dK, dV, angles, qkvColumns)),
        new Work("swiglu, FP8", 7 * T * I, "swiglu", () -> k.swiglu(gateUp, Matmul.FP8)),
        new Work(
            "swigluBackward",
            12 * T * I,
            "swiglu_backward",
            () -> k.swigluBackward(dOutput, gateUp, null)),
        new Work(
            "swigluBackward, FP8",
            14 * T * I,
            "swiglu_backward",
            () -> k.swigluBackward(dOutput, gateUp, columns)),
        new Work("quantize 4096", 3 * row, "quantize", () -> k.quantize(x, null)),
        new Work("quantize 4096, columns", 3 * row, "quantize", () -> k.quantize(x, dColumns)),
        new Work("quantize 14336", 3 * T * I, "quantize", () -> k.quantize(dOutput, null)),
        new Work(
            "quantize 28672, columns", 6 * T * I, "quantize", () -> k.quantize(gateUp, columns)),
        new Work("transpose 28672 x 4096", 4 * I * D, null, () -> k.transpose(bytes, into)),
        new Work(
            "transpose 4096 x 14336",
            2 * I * D,
            null,
            () -> k.transpose(bytes.view(-1).narrow(0, 0, I * D).view(D, I), into)),
        new Work(
            "crossEntropy 1024 x 128256",
            6 * 1024 * V,
            null,
            () -> k.crossEntropy(logits, targets)),
        new Work(
            "adamW 40M", 30 * PARAMETERS, null, () -> k.adamW(p, compute, m, v, g, one, step)));
  }

  private void print(String prefix, Work work) {
    double micros = median(work);
    System.out.printf(
        "%-44s %10.1f %8.0f %8.2f %8.1f%n",
        prefix + work.name(),
        micros,
        work.bytes() / 1e6,
        work.bytes() / micros / 1e6,
        hostMicros(work));
  }

  private double median(Work work) {
    double[] micros = new double[RUNS];
    for (int i = -2; i < RUNS; i++) {
      try (TensorScope scope = new TensorScope();
          CudaEvent start = new CudaEvent(GPU, CudaEvent.Timing.ON);
          CudaEvent end = new CudaEvent(GPU, CudaEvent.Timing.ON)) {
        // what an earlier run left in L2 goes, and the host gets ahead of the GPU
        for (int f = 0; f < 4; f++) {
          flush.zero_();
        }
        start.record();
        work.run().run();
        end.record();
        end.synchronize();
        if (i >= 0) {
          micros[i] = 1000 * end.millisSince(start);
        }
      }
    }
    Arrays.sort(micros);
    return micros[RUNS / 2];
  }

  /** Of a call, while the GPU works on earlier ones. */
  private double hostMicros(Work work) {
    int calls = 100;
    try (TensorScope scope = new TensorScope()) {
      torch_cuda.device_synchronize();
      long start = System.nanoTime();
      for (int i = 0; i < calls; i++) {
        try (TensorScope call = new TensorScope()) {
          work.run().run();
        }
      }
      double micros = (System.nanoTime() - start) / 1e3 / calls;
      torch_cuda.device_synchronize();
      return micros;
    }
  }

  private static Tensor random(long... shape) {
    return Tensors.empty(GPU, ScalarType.BFloat16, shape).normal_();
  }
}
