package dev.anneal.training.product;

import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class HostCostTest {
  private Object sink;

  private void time(String name, Runnable work) {
    for (int i = 0; i < 3; i++) {
      long start = System.nanoTime();
      try (TensorScope scope = new TensorScope()) {
        for (int k = 0; k < 5000; k++) {
          work.run();
        }
        long mid = System.nanoTime();
        if (i == 2) {
          System.out.printf("COST %-30s %8.0f ns", name, (mid - start) / 5000.0);
        }
      }
      if (i == 2) {
        System.out.printf(" with close %8.0f ns%n", (System.nanoTime() - start) / 5000.0);
      }
    }
  }

  @Test
  void costs() {
    NativeLibraries.load();
    try (TensorScope outer = new TensorScope()) {
      Tensor x = Tensors.zeros(ScalarType.BFloat16, 4, 6144);
      Matrix m = Matrix.of(x);
      Map<Object, Object> plans = new HashMap<>();
      plans.put(new ProductPlan.Shape(m.layout(), m.layout(), m.layout(), false), "x");
      time("nothing", () -> {});
      time("new_empty", () -> x.new_empty(4, 64));
      time("emptyLike", () -> Tensors.emptyLike(x, 4, 64));
      time("data_ptr", () -> sink = x.data_ptr());
      time("data_ptr.address", () -> sink = x.data_ptr().address());
      time("scalar_type", () -> sink = x.scalar_type());
      time("is_cuda", () -> sink = x.is_cuda());
      time("is_contiguous", () -> sink = x.is_contiguous());
      time("size", () -> sink = x.size(0));
      time("numel", () -> sink = x.numel());
      time("narrow", () -> x.narrow(1, 0, 4096));
      time("narrow+unflatten", () -> x.narrow(1, 0, 4096).unflatten(1, 32, 128));
      time("as_strided", () -> m.columns(0, 4096).tensor());
      time("Matrix.of", () -> sink = Matrix.of(x));
      time("columns t", () -> sink = m.columns(0, 64).t());
      time("lookup", () -> sink = plans.get(new ProductPlan.Shape(m.layout(), m.layout(), m.layout(), false)));
      time("scope", () -> { try (TensorScope s = new TensorScope()) { sink = s; } });
      time("scalar", () -> sink = Tensors.scalar(1));
    }
  }
}
