package dev.anneal.training.model.activations;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.host.HostMemory;
import dev.anneal.training.model.LayerStack;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.timing.Timings;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Micro-batches one after the other, with the GPU far behind the host. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class HostInputsGpuTest {
  private static final Device GPU = Device.gpu(0);
  private static final int LAYERS = 16;

  /** Of an input: 128 MiB, 2 GiB of a micro-batch. */
  private static final long NUMEL = 32L << 20;

  private static final long SET = LAYERS * NUMEL * Float.BYTES;

  private interface MicroBatch {
    /** The layers' tensors are {@code value} and as much as the layer is above it. */
    void run(int value, Tensor busy, List<Tensor> back);
  }

  @Test
  void takeNoMoreOfTheHostThanOneMicroBatchDoes() {
    assertOneSetIsTaken(HostInputsGpuTest::microBatch);
  }

  @Test
  void wholeLayersTakeNoMoreEither() {
    assertOneSetIsTaken(HostInputsGpuTest::microBatchOfLayers);
  }

  private static void assertOneSetIsTaken(MicroBatch each) {
    Tensor busy = Tensors.zeros(GPU, ScalarType.Float, 8192, 8192);
    List<Long> taken = new ArrayList<>();
    List<Tensor> back = new ArrayList<>();
    long before = HostMemory.here().machineFreeBytes();
    for (int microBatch = 0; microBatch < 4; microBatch++) {
      each.run(microBatch, busy, back);
      taken.add(before - HostMemory.here().machineFreeBytes());
    }
    torch_cuda.device_synchronize();
    for (int microBatch = 0; microBatch < back.size(); microBatch++) {
      assertThat(back.get(microBatch).item_double())
          .as("the first input of micro-batch %s", microBatch)
          .isEqualTo(microBatch);
      back.get(microBatch).close();
    }
    System.out.println("bytes of the host taken after each micro-batch: " + taken);
    assertThat(taken.get(3))
        .as("bytes of the host after four micro-batches: %s", taken)
        .isLessThan(taken.get(0) + SET / 2);
  }

  /** Inputs come back as they left. */
  private static void microBatch(int value, Tensor busy, List<Tensor> back) {
    try (HostInputs checkpoints = new HostInputs(GPU, LAYERS, Timings.OFF)) {
      for (int layer = 0; layer < LAYERS; layer++) {
        try (TensorScope scope = new TensorScope()) {
          Tensor x = Tensors.zeros(GPU, ScalarType.Float, NUMEL);
          checkpoints.save(layer, x.fill_(Tensors.scalar(value + layer)));
        }
      }
      for (int layer = LAYERS - 1; layer >= 0; layer--) {
        try (TensorScope scope = new TensorScope()) {
          // a backward that keeps the GPU at work while the host runs ahead
          for (int i = 0; i < 4; i++) {
            busy.mm(busy);
          }
          Tensor x = checkpoints.load();
          if (layer == 0) {
            // looked at later: who reads it now waits for the GPU
            back.add(TensorScope.own(x.narrow(0, 0, 1).clone()));
          }
        }
      }
    }
  }

  /** The same of tapes. */
  private static void microBatchOfLayers(int value, Tensor busy, List<Tensor> back) {
    try (HostLayers layers = new HostLayers(GPU, LAYERS, Timings.OFF)) {
      for (int layer = 0; layer < LAYERS; layer++) {
        layers.makeRoom();
        try (TensorScope scope = new TensorScope()) {
          Tensor x = Tensors.zeros(GPU, ScalarType.Float, NUMEL);
          layers.save(layer, new OneTensor(x.fill_(Tensors.scalar(value + layer))));
        }
      }
      for (int layer = LAYERS - 1; layer >= 0; layer--) {
        try (TensorScope scope = new TensorScope();
            LayerStack.Tape tape = layers.load()) {
          for (int i = 0; i < 4; i++) {
            busy.mm(busy);
          }
          if (layer == 0) {
            back.add(TensorScope.own(tape.output().narrow(0, 0, 1).clone()));
          }
        }
        layers.fetchNext();
      }
    }
  }

  private static final class OneTensor implements LayerStack.Tape {
    private Tensor x;

    OneTensor(Tensor x) {
      this.x = TensorScope.own(x);
    }

    @Override
    public Tensor output() {
      return x;
    }

    @Override
    public Tensor backward(int next, Tensor dOutput) {
      throw new UnsupportedOperationException("nothing is learned here");
    }

    @Override
    public List<Tensor> giveUp() {
      return List.of(x);
    }

    @Override
    public void takeBack(List<Tensor> tensors) {
      x = tensors.get(0);
    }

    @Override
    public void close() {
      x.close();
    }
  }
}
