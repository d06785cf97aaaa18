package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.TinyModels;
import dev.anneal.training.kernel.PlainKernels;
import dev.anneal.training.optim.Parameters.Shape;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.trainer.GlooRanks;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Groups of parameters that AdamW moves by numbers of their own. */
class ParameterGroupTest {
  private static final double RATE = 0.01;
  private static final AdamWSpec PLAIN = new AdamWSpec(RATE, 0.1, 0.9, 0.99, 1e-8);
  private static final AdamWSpec LORA_PLUS =
      new AdamWSpec(RATE, 0.1, 0.9, 0.99, 1e-8, 16, AdamWSpec.Decay.ALL);
  private static final AdamWSpec MATRICES =
      new AdamWSpec(RATE, 0.1, 0.9, 0.99, 1e-8, 1, AdamWSpec.Decay.MATRICES);
  private static final List<List<Shape>> LAYOUT =
      List.of(
          List.of(
              new Shape("l.0.q_proj.lora_A.weight", 3, 5),
              new Shape("l.0.q_proj.lora_B.weight", 7, 3),
              new Shape("l.0.v_proj.lora_A.weight", 3, 5),
              new Shape("l.0.v_proj.lora_B.weight", 5, 3)),
          List.of(),
          List.of(
              new Shape("l.2.q_proj.lora_A.weight", 3, 5),
              new Shape("l.2.q_proj.lora_B.weight", 7, 3),
              new Shape("norm.weight", 5)));

  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @Test
  void whereAllAreTheSameThereIsOneThatHoldsThePadding() {
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters = TinyModels.parameters(LAYOUT, DType.FP32);
      assertThat(ParameterGroup.of(PLAIN, parameters))
          .containsExactly(new ParameterGroup(0, parameters.master().numel(), 1, 0.1));
    }
  }

  @Test
  void neighboursWithTheSameNumbersAreOne() {
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters = TinyModels.parameters(LAYOUT, DType.FP32);
      assertThat(ParameterGroup.of(MATRICES, parameters))
          .containsExactly(new ParameterGroup(0, 102, 1, 0.1), new ParameterGroup(102, 5, 1, 0));
      assertThat(ParameterGroup.of(LORA_PLUS, parameters))
          .containsExactly(
              new ParameterGroup(0, 15, 1, 0.1),
              new ParameterGroup(15, 21, 16, 0.1),
              new ParameterGroup(36, 15, 1, 0.1),
              new ParameterGroup(51, 15, 16, 0.1),
              new ParameterGroup(66, 15, 1, 0.1),
              new ParameterGroup(81, 21, 16, 0.1),
              new ParameterGroup(102, 5, 1, 0.1));
    }
  }

  /**
   * As peft.optimizers.create_loraplus_optimizer: B by an optimizer of its own, 16 times as fast.
   */
  @Test
  void loraPlusMovesEachMatrixAsAnOptimizerOfItsOwnWould() {
    try (TensorScope scope = new TensorScope()) {
      List<double[]> found = trained(LORA_PLUS, LAYOUT, 1, RATE);
      List<double[]> slow = trained(PLAIN, LAYOUT, 1, RATE);
      List<double[]> fast = trained(PLAIN, LAYOUT, 1, 16 * RATE);
      List<String> names = names();
      for (int i = 0; i < names.size(); i++) {
        boolean isB = names.get(i).contains("lora_B");
        assertThat(found.get(i)).as(names.get(i)).isEqualTo((isB ? fast : slow).get(i));
        assertThat(found.get(i)).isNotEqualTo((isB ? slow : fast).get(i));
      }
    }
  }

  @Test
  void normsStayWhereMatricesDecay() {
    List<double[]> found = trained(MATRICES, LAYOUT, 1, RATE);
    List<double[]> decayed = trained(PLAIN, LAYOUT, 1, RATE);
    List<double[]> stayed = trained(new AdamWSpec(RATE, 0, 0.9, 0.99, 1e-8), LAYOUT, 1, RATE);
    List<String> names = names();
    for (int i = 0; i < names.size(); i++) {
      boolean isNorm = names.get(i).equals("norm.weight");
      assertThat(found.get(i)).as(names.get(i)).isEqualTo((isNorm ? stayed : decayed).get(i));
      assertThat(found.get(i)).isNotEqualTo((isNorm ? decayed : stayed).get(i));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void ranksThatShareThemMoveThemTheSame(int worldSize) {
    List<double[]> alone = trained(LORA_PLUS, LAYOUT, 1, RATE);
    List<double[]> shared = trained(LORA_PLUS, LAYOUT, worldSize, RATE);
    assertThat(shared).hasSameSizeAs(alone);
    for (int i = 0; i < alone.size(); i++) {
      assertThat(shared.get(i)).isEqualTo(alone.get(i));
    }
  }

  private static List<String> names() {
    return LAYOUT.stream().flatMap(List::stream).map(Shape::name).toList();
  }

  /** The values of every parameter after three steps, the same on every rank. */
  private static List<double[]> trained(
      AdamWSpec spec, List<List<Shape>> layout, int worldSize, double learningRate) {
    List<double[]> values = new ArrayList<>();
    try {
      List<Throwable> thrown =
          GlooRanks.run(
              worldSize,
              world -> {
                try (TensorScope scope = new TensorScope();
                    Parameters parameters = new Parameters(layout, DType.FP32, Device.CPU, world)) {
                  for (String name : parameters.layout().names()) {
                    parameters.assign(name, numbers(name, parameters.layout().shape(name), 1));
                  }
                  parameters.publish();
                  AdamW optimizer = new AdamW(spec, parameters, new PlainKernels());
                  for (int step = 0; step < 3; step++) {
                    parameters.zeroGradient();
                    for (int bucket = 0; bucket < layout.size(); bucket++) {
                      for (Shape shape :
                          world.rank() == 0 ? layout.get(bucket) : List.<Shape>of()) {
                        parameters.accumulate(
                            shape.name(), numbers(shape.name(), shape.dims(), 2 + step));
                      }
                      parameters.reduce(bucket);
                    }
                    parameters.awaitReductions();
                    optimizer.step(learningRate, 1);
                  }
                  for (String name : parameters.layout().names()) {
                    double[] of =
                        Tensors.doubles(parameters.compute(name).reshape(-1).to(ScalarType.Double));
                    if (world.rank() == 0) {
                      values.add(of);
                    }
                  }
                }
              });
      assertThat(thrown).containsOnlyNulls();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
    return values;
  }

  private static Tensor numbers(String name, long[] shape, int seed) {
    long numel =
        IntStream.range(0, shape.length).mapToLong(i -> shape[i]).reduce(1, (a, b) -> a * b);
    double[] numbers = new double[Math.toIntExact(numel)];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = Math.sin(31 * seed + 7 * name.length() + i);
    }
    return Tensors.of(numbers).view(shape);
  }
}
