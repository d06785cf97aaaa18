package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** PEFT's formula, written down beside ours. */
@ExtendWith(InTensorScope.class)
class DoraTest {
  private static final double SCALE = 0.7;
  private static final LinearModule MODULE = LinearModule.UP_PROJ;

  private final Tensor x = random(1, 5, 12);
  private final Tensor weight = random(2, 9, 12);
  private final Tensor a = random(3, 3, 12).requires_grad_(true);
  private final Tensor b = random(4, 9, 3).requires_grad_(true);
  private final Tensor magnitude = random(5, 9).abs().detach().requires_grad_(true);

  private static Tensor random(long seed, long... shape) {
    return Tensors.normal(Tensors.empty(ScalarType.Float, shape), 1, seed);
  }

  private Tensor linear(Dropout dropout) {
    LayerAdapters.Pair pair = new LayerAdapters.Pair(a, b, magnitude, SCALE);
    return new LayerAdapters(0, Map.of(MODULE, pair), dropout).linear(MODULE, x, weight);
  }

  /** {@code x W^T + (m / |V| - 1) dropped W^T + m / |V| scale dropped A^T B^T}. */
  private Tensor formula(Tensor dropped) {
    Tensor v = weight.add(b.matmul(a).mul(Tensors.scalar(SCALE))).detach();
    Tensor factor = magnitude.div(v.square().sum(new long[] {1}).sqrt());
    Tensor lora = torch.linear(torch.linear(dropped, a), b).mul(Tensors.scalar(SCALE));
    return torch
        .linear(x, weight)
        .add(torch.linear(dropped, weight).mul(factor.sub(Tensors.scalar(1))))
        .add(lora.mul(factor));
  }

  private void assertSame(Tensor found, Tensor expected) {
    assertNear(found, expected);
    Tensor[] ours = Grads.grad(found, List.of(a, b, magnitude), Tensors.like(found, x(found)));
    Tensor[] theirs = Grads.grad(expected, List.of(a, b, magnitude), Tensors.like(found, x(found)));
    for (int i = 0; i < ours.length; i++) {
      assertNear(ours[i], theirs[i]);
    }
  }

  private static Tensor x(Tensor like) {
    return random(6, Tensors.shape(like));
  }

  private static void assertNear(Tensor found, Tensor expected) {
    double deviation = found.sub(expected).norm().item_double() / expected.norm().item_double();
    assertThat(deviation).isLessThan(1e-6);
  }

  @Test
  void valueAndGradientsAreThoseOfTheFormula() {
    assertSame(linear(Dropout.NONE), formula(x));
  }

  @Test
  void whatTheLengthChangesIsDroppedToo() {
    Dropout dropout = new Dropout(0.5, 7);
    Tensor dropped = dropout.apply(x, 0, MODULE);
    assertThat(dropped.equal(x)).isFalse();
    assertSame(linear(dropout), formula(dropped));
  }

  @Test
  void lengthsAreThoseOfTheSumWhateverThePieces() {
    Tensor v = weight.add(b.matmul(a).mul(Tensors.scalar(SCALE)));
    Tensor whole = Dora.lengths(weight, a, b, SCALE);
    assertNear(whole, v.square().sum(new long[] {1}).sqrt());
    assertThat(whole.requires_grad()).isFalse();
    for (long piece : new long[] {1, 24, 25, 1000}) {
      assertNear(Dora.lengths(weight, a, b, SCALE, piece), whole);
    }
  }

  /** In bf16 too: the lengths of the weights as they are multiplied. */
  @Test
  void lengthsOfTheWeightChangeNothing() {
    Tensor half = weight.to(ScalarType.BFloat16);
    Tensor zero = Tensors.zeros(ScalarType.Float, 9, 3);
    Tensor lengths = Dora.lengths(half, a, zero, SCALE);
    LayerAdapters.Pair pair = new LayerAdapters.Pair(a, zero, lengths, SCALE);
    Tensor input = x.to(ScalarType.BFloat16);
    Tensor found =
        new LayerAdapters(0, Map.of(MODULE, pair), Dropout.NONE).linear(MODULE, input, half);
    assertThat(found.element_size()).isEqualTo(2);
    assertThat(found.equal(torch.linear(input, half))).isTrue();
  }
}
