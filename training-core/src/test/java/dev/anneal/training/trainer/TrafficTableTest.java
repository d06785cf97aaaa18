package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.Property;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.TrafficTable.Row;
import org.junit.jupiter.api.Test;

class TrafficTableTest {
  private static final BatchShape BATCH = new BatchShape(4, 1024);
  private static final long ADAPTERS = 167_772_160;
  private static final double LAYER = 218_103_808;

  /** 32 layers forward and backward but for the two that are there where a pass turns round. */
  private static final int FETCHES = 2 * 30;

  @Test
  void aWholeModelOnOneGpuMovesNothing() {
    TrafficTable table = of(1, false, 0, KeptActivations.ALL, 3);
    assertThat(table.rows()).isEmpty();
    assertThat(table.all()).isEqualTo(new Row("all", 0, 0, 0, 0));
  }

  @Test
  void offloadedWeightsComeForEveryMicroBatch() {
    Row one = of(1, false, 0.5, KeptActivations.INPUTS, 1).all();
    assertThat((double) one.toGpu()).isCloseTo(FETCHES * LAYER / 2, within(0.001 * one.toGpu()));
    assertThat(one.toHost()).isZero();
    assertThat(of(1, false, 0.5, KeptActivations.INPUTS, 3).all().toGpu())
        .isEqualTo(3 * one.toGpu());
  }

  @Test
  void inputsGoAndComeBack() {
    Row all = of(1, false, 0, KeptActivations.INPUTS_ON_HOST.first(16), 2).all();
    assertThat(all.toHost()).isEqualTo(2L * 16 * 4096 * 4096 * 2);
    assertThat(all.toGpu()).isEqualTo(all.toHost());
  }

  /** All but the last two, which do not leave. */
  @Test
  void layersGoAndComeBack() {
    MemoryTable.Rank rank =
        SpeedEstimateTest.rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 1, false, 0);
    long layer = MemoryTable.layerBytes(rank, BATCH);
    Row moved = new Row("layers that wait on the host", 20 * layer, 20 * layer, 0, 0);
    assertThat(of(1, false, 0, KeptActivations.ALL.onHost(12), 2).rows()).containsExactly(moved);
    assertThat(of(1, false, 0, KeptActivations.ALL.onHost(2), 2).rows()).isEmpty();
  }

  @Test
  void twoGpusReceiveHalfALayerEachTime() {
    TrafficTable table = of(2, true, 0, KeptActivations.ALL, 1);
    Row frozen = table.rows().get(0);
    assertThat((double) frozen.fromPeers())
        .isCloseTo(FETCHES * LAYER / 2, within(0.001 * frozen.fromPeers()));
    long vocabulary = 128_256L * 4096 * 2;
    assertThat(table.rows().get(1)).isEqualTo(new Row("embedding and head", 0, 0, vocabulary, 0));
    // half of the fp32 gradient, and half of the bf16 values
    assertThat(table.rows().get(2)).isEqualTo(new Row("gradient, summed", 0, 0, 2 * ADAPTERS, 0));
    assertThat(table.rows().get(3)).isEqualTo(new Row("new values, gathered", 0, 0, ADAPTERS, 0));
    assertThat(table.all().fromNodes()).isZero();
  }

  @Test
  void valuesThatDoNotStayTogetherComeForwardAndBackward() {
    try (Property property = Property.set(AdapterGathering.PROPERTY, "never")) {
      assertThat(of(2, true, 0, KeptActivations.ALL, 1).rows().get(3))
          .isEqualTo(new Row("values of layers, gathered", 0, 0, ADAPTERS / 32 * (FETCHES + 2), 0));
      assertThat(of(2, true, 0, KeptActivations.ALL, 3).rows().get(3).fromPeers())
          .isEqualTo(ADAPTERS / 32 * (3 * FETCHES + 2));
    }
  }

  @Test
  void gradientsAreSummedForEveryMicroBatch() {
    TrafficTable table = of(2, true, 0, KeptActivations.ALL, 3);
    assertThat(table.rows().get(2)).isEqualTo(new Row("gradient, summed", 0, 0, 6 * ADAPTERS, 0));
    assertThat(table.rows().get(3).fromPeers()).isEqualTo(ADAPTERS);
  }

  @Test
  void ranksThatHoldAllWeightsGatherValuesOnceAStep() {
    TrafficTable table = of(2, false, 0, KeptActivations.ALL, 3);
    assertThat(table.rows())
        .containsExactly(
            new Row("gradient, summed", 0, 0, 6 * ADAPTERS, 0),
            new Row("new values, gathered", 0, 0, ADAPTERS, 0));
  }

  @Test
  void whatComesFromOtherNodesComesOnce() {
    MemoryTable.Rank rank =
        SpeedEstimateTest.rank("llama3.1-8b", DType.FP8, KeptActivations.INPUTS, 4, true, 0);
    Row frozen = TrafficTable.of(rank, BATCH, 1, 2).rows().get(0);
    // of four quarters a GPU has one, its neighbour another, and of the two that the node gets from
    // outside one comes through the neighbour
    assertThat((double) frozen.fromPeers())
        .isCloseTo(FETCHES * LAYER / 2, within(0.001 * frozen.fromPeers()));
    assertThat((double) frozen.fromNodes())
        .isCloseTo(FETCHES * LAYER / 4, within(0.001 * frozen.fromNodes()));
  }

  private static TrafficTable of(
      int gpus, boolean split, double ratio, KeptActivations activations, int microBatches) {
    MemoryTable.Rank rank =
        SpeedEstimateTest.rank("llama3.1-8b", DType.FP8, activations, gpus, split, ratio);
    return TrafficTable.of(rank, BATCH, microBatches, gpus);
  }
}
