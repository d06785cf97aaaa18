package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.Rows;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("gpu")
@ExtendWith(InTensorScope.class)
class EmbeddingNoiseGpuTest {

  /** In one piece and in several. */
  @ParameterizedTest
  @CsvSource({"333, FLOAT", "333, BFLOAT16", "65536, FLOAT", "65536, BFLOAT16"})
  void isThatOfTheHostBitForBit(int hidden, String dtype) {
    ScalarType type = dtype.equals("FLOAT") ? ScalarType.Float : ScalarType.BFloat16;
    TokenBatch batch = TokenBatch.of(Rows.random(11, 1, 100, 7, 60));
    EmbeddingNoise noise = new EmbeddingNoise(5, 1, 2, 3);
    Tensor x = Tensors.normal(Tensors.empty(ScalarType.Float, 167, hidden), 0.02, 3).to(type);
    Device gpu = Device.gpu(0);
    Tensor there = Tensors.to(gpu, x.clone());
    noise.addTo(there, batch.on(gpu));
    noise.addTo(x, batch);
    assertThat(there.cpu().equal(x)).isTrue();
  }
}
