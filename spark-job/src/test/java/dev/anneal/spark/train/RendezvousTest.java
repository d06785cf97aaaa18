package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import java.util.List;
import org.junit.jupiter.api.Test;

class RendezvousTest {

  @Test
  void refusesTwoNodesInOneExecutor() {
    assertThatThrownBy(() -> Rendezvous.requireOneExecutorEach(List.of("4", "7", "4")))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("nodes 0 and 2 into one executor (4)")
        .hasMessageContaining("spark.executor.cores");
    assertThatCode(() -> Rendezvous.requireOneExecutorEach(List.of("4", "7", "5")))
        .doesNotThrowAnyException();
  }
}
