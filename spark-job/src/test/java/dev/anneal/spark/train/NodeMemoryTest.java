package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.train.NodeMemory.Agreed;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import java.util.List;
import org.junit.jupiter.api.Test;

class NodeMemoryTest {
  private static final long NOT_KNOWN = Long.MAX_VALUE;

  @Test
  void goesRoundAsText() {
    NodeMemory node =
        new NodeMemory("fe80::1", "a1b2", 8, 1L << 40, NOT_KNOWN, 80, 79, "H100 80GB");
    assertThat(NodeMemory.parse(node.toText())).isEqualTo(node);
    NodeMemory here = NodeMemory.here("host", List.of(new RankPlace(Device.CPU, null)));
    assertThat(NodeMemory.parse(here.toText())).isEqualTo(here);
    assertThat(here.machineFree()).isPositive();
    assertThat(here.gpuTotal()).isEqualTo(NOT_KNOWN);
  }

  @Test
  void theSmallestOfAllNodesCounts() {
    List<NodeMemory> nodes =
        List.of(
            new NodeMemory("one", "c", 2, 1000, NOT_KNOWN, 80, 70, "H200"),
            new NodeMemory("two", "c", 2, 600, NOT_KNOWN, 70, 60, "H200"));
    assertThat(NodeMemory.agree(nodes))
        .isEqualTo(new Agreed(new Machine(60, 600, 2), 70, 2, GpuKind.named("H200")));
  }

  @Test
  void nodesOfOneHostShareItsMemory() {
    List<NodeMemory> nodes =
        List.of(
            new NodeMemory("one", "c", 1, 1000, 500, 80, 70, ""),
            new NodeMemory("one", "c", 1, 990, 480, 80, 70, ""),
            new NodeMemory("one", "d", 1, 980, 300, 80, 70, ""));
    // the host gives each of three ranks 326, container c each of two 240, and d its one 300
    assertThat(NodeMemory.agree(nodes).machine().hostBytes()).isEqualTo(240);
    // and what it copies
    assertThat(NodeMemory.agree(nodes).ranksOfHost()).isEqualTo(3);
  }

  @Test
  void aHostThatNobodyKnowsIsNotJudged() {
    List<NodeMemory> nodes =
        List.of(new NodeMemory("one", "c", 8, NOT_KNOWN, NOT_KNOWN, 80, 70, ""));
    assertThat(NodeMemory.agree(nodes).machine().hostBytes()).isEqualTo(NOT_KNOWN);
  }

  /** Every node takes part in the same choice, so one GPU that nobody measured is enough. */
  @Test
  void gpusOfSeveralKindsAreOfNone() {
    NodeMemory known = new NodeMemory("one", "c", 1, 1000, 500, 80, 70, "H200");
    NodeMemory other = new NodeMemory("two", "c", 1, 1000, 500, 80, 70, "H100 80GB");
    NodeMemory unknown = new NodeMemory("three", "c", 1, 1000, 500, 80, 70, "");
    assertThat(NodeMemory.agree(List.of(known, known)).kind()).isEqualTo(GpuKind.named("H200"));
    assertThat(NodeMemory.agree(List.of(known, other)).kind()).isEmpty();
    assertThat(NodeMemory.agree(List.of(unknown, known)).kind()).isEmpty();
    assertThat(NodeMemory.agree(List.of(unknown)).kind()).isEmpty();
  }
}
