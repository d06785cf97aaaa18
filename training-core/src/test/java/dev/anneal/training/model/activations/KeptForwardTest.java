package dev.anneal.training.model.activations;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.model.LayerException;
import dev.anneal.training.model.LayerStack;
import dev.anneal.training.model.activations.KeptActivations.Kept;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Timings;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers that tell in which order what is done with them, and what is still there. */
@ExtendWith(InTensorScope.class)
class KeptForwardTest {
  private static final int NOWHERE = -1;

  private final List<String> events = new ArrayList<>();
  private final List<NumberTape> tapes = new ArrayList<>();

  @Test
  void copiesGoBesideTheLayersBetween() {
    run(KeptActivations.INPUTS.first(1).onHost(4), 6, NOWHERE, NOWHERE);
    assertThat(events)
        .containsExactly(
            "record 0",
            "layer to host 0",
            "record 1",
            "layer to host 1",
            "forward 2",
            "record 3",
            "record 4",
            "record 5",
            "backward 5",
            "backward 4",
            "layer to device 1",
            "backward 3",
            "layer to device 0",
            "recompute 2",
            "backward 2",
            "backward 1",
            "backward 0");
  }

  @Test
  void asManyAsTheDeviceHoldsAnywayDoNotLeave() {
    run(KeptActivations.ALL.onHost(2), 3, NOWHERE, NOWHERE);
    assertThat(events).noneMatch(event -> event.startsWith("layer to"));
  }

  @ParameterizedTest
  @CsvSource({"0, 6", "0, 5", "1, 4", "3, 3", "2147483647, 3", "0, 3"})
  void theDeviceHoldsTwoOfThemAtMost(int recomputed, int onHost) {
    run(KeptActivations.INPUTS.first(recomputed).onHost(onHost), 6, NOWHERE, NOWHERE);
    assertThat(tapes).allSatisfy(tape -> assertThat(tape.holds()).isFalse());
    assertThat(events.stream().filter(event -> event.startsWith("layer to host")))
        .hasSize(onHost - 2);
    assertThat(events.stream().filter(event -> event.startsWith("layer to device")))
        .hasSize(onHost - 2);
  }

  /** The last two do not leave, and what has left is fetched when another is done. */
  @ParameterizedTest
  @CsvSource({"0, -1", "2, -1", "5, -1", "-1, 5", "-1, 3", "-1, 2", "-1, 1", "-1, 0"})
  void nothingStaysBehindAFailure(int forward, int backward) {
    for (KeptActivations activations :
        List.of(
            KeptActivations.ALL.onHost(6),
            KeptActivations.INPUTS.first(1).onHost(4),
            KeptActivations.INPUTS_ON_HOST.onHost(3))) {
      // what libtorch and Java make for good is there
      assertThatThrownBy(() -> run(activations, 6, forward, backward))
          .isInstanceOf(LayerException.class);
      long before = Pointer.totalCount();
      assertThatThrownBy(() -> run(activations, 6, forward, backward))
          .isInstanceOf(LayerException.class);
      assertThat(Pointer.totalCount()).as("%s", activations).isLessThanOrEqualTo(before);
    }
  }

  @Test
  void nothingStaysBehindAMicroBatch() {
    KeptActivations activations = KeptActivations.INPUTS_ON_HOST.first(2).onHost(4);
    run(activations, 7, NOWHERE, NOWHERE);
    long before = Pointer.totalCount();
    run(activations, 7, NOWHERE, NOWHERE);
    assertThat(Pointer.totalCount()).isLessThanOrEqualTo(before);
  }

  /** As {@code Llama} does it; a layer adds one. */
  private void run(
      KeptActivations activations, int layers, int failingForward, int failingBackward) {
    events.clear();
    tapes.clear();
    NumberLayers pass = new NumberLayers(activations, layers, failingForward, failingBackward);
    try (TensorScope scope = new TensorScope();
        KeptForward kept = new KeptForward(pass, activations, layers, Device.CPU, pass)) {
      Tensor hidden = number(0);
      for (int layer = 0; layer < layers; layer++) {
        Tensor input = hidden;
        hidden = kept.forward(layer, input);
        scope.free(input);
      }
      scope.free(hidden);
      Tensor dHidden = number(1);
      for (int layer = layers - 1; layer >= 0; layer--) {
        Tensor dOutput = dHidden;
        dHidden = kept.backward(layer, dOutput);
        scope.free(dOutput);
      }
      assertThat(dHidden.equal(number(1 + layers))).isTrue();
    }
  }

  /** More than what stays where it is. */
  private static Tensor number(double value) {
    return Tensors.zeros(Device.CPU, ScalarType.Float, 5, 7).add_(Tensors.scalar(value));
  }

  private final class NumberLayers implements LayerStack.Pass, Timings {
    private final KeptActivations activations;
    private final int layers;
    private final int failingForward;
    private final int failingBackward;

    NumberLayers(KeptActivations activations, int layers, int failingForward, int failingBackward) {
      this.activations = activations;
      this.layers = layers;
      this.failingForward = failingForward;
      this.failingBackward = failingBackward;
    }

    @Override
    public Tensor forward(int layer, int next, Tensor x) {
      events.add("forward " + layer);
      return output(layer, x);
    }

    @Override
    public LayerStack.Tape record(int layer, int next, Tensor x) {
      events.add("record " + layer);
      NumberTape tape = new NumberTape(this, layer, x);
      if (tape.kept == Kept.ALL_ON_HOST) {
        assertTwoAtMost();
      }
      return tape;
    }

    @Override
    public LayerStack.Tape recompute(int layer, int next, Tensor x) {
      events.add("recompute " + layer);
      return new NumberTape(this, layer, x);
    }

    private Tensor output(int layer, Tensor x) {
      if (layer == failingForward) {
        throw new IllegalStateException("forward");
      }
      assertThat(x.equal(number(layer))).isTrue();
      return x.add(Tensors.scalar(1));
    }

    void assertTwoAtMost() {
      assertThat(tapes.stream().filter(tape -> tape.kept == Kept.ALL_ON_HOST && tape.holds()))
          .hasSizeLessThanOrEqualTo(2);
    }

    @Override
    public Span device(Lane lane, String name, int layer) {
      assertThat(lane).isEqualTo(Lane.OFFLOAD);
      if (name.startsWith("layer")) {
        events.add(name + " " + layer);
      }
      return NOTHING;
    }

    @Override
    public Span layer(String name, int layer) {
      return NOTHING;
    }
  }

  /** Holds its input, twice that, and two numbers that are too small to move. */
  private final class NumberTape implements LayerStack.Tape {
    private final NumberLayers layers;
    private final int layer;
    private final Kept kept;
    private final Tensor output;
    private List<Tensor> tensors;
    private boolean gone;

    NumberTape(NumberLayers layers, int layer, Tensor x) {
      this.layers = layers;
      this.layer = layer;
      this.kept = layers.activations.of(layer, layers.layers);
      this.output = layers.output(layer, x);
      try (TensorScope scope = new TensorScope()) {
        tensors =
            List.of(
                TensorScope.own(x),
                TensorScope.own(Tensors.of(new long[] {layer, -1})),
                TensorScope.own(x.mul(Tensors.scalar(2))));
      }
      tapes.add(this);
    }

    boolean holds() {
      return !tensors.get(0).isNull() || !tensors.get(2).isNull();
    }

    @Override
    public Tensor output() {
      return output;
    }

    @Override
    public Tensor backward(int next, Tensor dOutput) {
      events.add("backward " + layer);
      if (layer == layers.failingBackward) {
        throw new IllegalStateException("backward");
      }
      layers.assertTwoAtMost();
      assertThat(gone).isFalse();
      assertThat(tensors.get(0).equal(number(layer))).isTrue();
      assertThat(Tensors.longs(tensors.get(1))).containsExactly(layer, -1);
      assertThat(tensors.get(2).equal(number(2 * layer))).isTrue();
      // as a backward that overwrites what it has read
      tensors.get(2).zero_();
      return dOutput.add(Tensors.scalar(1));
    }

    @Override
    public List<Tensor> giveUp() {
      gone = true;
      return tensors;
    }

    @Override
    public void takeBack(List<Tensor> back) {
      assertThat(gone).isTrue();
      assertThat(tensors.get(0).isNull()).isTrue();
      gone = false;
      tensors = back;
    }

    @Override
    public void close() {
      if (!gone) {
        tensors.forEach(Tensor::close);
      }
    }
  }
}
