package dev.anneal.training.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class TensorScopeTest {
  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @Test
  void whatBelongsToAScopeEndsOnceAndWithIt() {
    List<String> ended = new ArrayList<>();
    try (TensorScope outer = new TensorScope()) {
      TensorScope.atClose(() -> ended.add("outer"));
      try (TensorScope inner = new TensorScope()) {
        Tensors.empty(ScalarType.Float, 3);
        TensorScope.atClose(() -> ended.add("inner"));
        assertThat(ended).isEmpty();
      }
      assertThat(ended).containsExactly("inner");
    }
    assertThat(ended).containsExactly("inner", "outer");
    assertThatThrownBy(() -> TensorScope.atClose(() -> {}))
        .isInstanceOf(IllegalStateException.class);
  }
}
