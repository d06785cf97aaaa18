package dev.anneal.training.cudnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_ALLOC_FAILED;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_BAD_PARAM;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_EXECUTION_FAILED;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_INTERNAL_ERROR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_NOT_SUPPORTED;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_NOT_SUPPORTED_INVALID_DYNAMIC_SHAPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EngineFailuresTest {
  private final EngineFailures failures = new EngineFailures();

  @ParameterizedTest
  @ValueSource(
      ints = {
        CUDNN_STATUS_NOT_SUPPORTED,
        CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN,
        CUDNN_STATUS_NOT_SUPPORTED_INVALID_DYNAMIC_SHAPE
      })
  void whatIsNotSupportedIsARefusal(int status) {
    failures.failed(CudnnException.of(status, "it does not go"));
    assertThat(failures.fault()).isEmpty();
    assertThat(failures.none("backward"))
        .hasMessage("cuDNN has no engine for the backward: it does not go")
        .extracting(CudnnException::isRefusal)
        .isEqualTo(true);
  }

  @ParameterizedTest
  @ValueSource(
      ints = {
        CUDNN_STATUS_INTERNAL_ERROR,
        CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED,
        CUDNN_STATUS_ALLOC_FAILED,
        CUDNN_STATUS_EXECUTION_FAILED,
        CUDNN_STATUS_BAD_PARAM,
        CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED
      })
  void anyOtherStatusIsAFault(int status) {
    CudnnException error = CudnnException.of(status, "cuDNN cannot make a plan: STATUS, why");
    assertThat(error.isRefusal()).isFalse();
    failures.failed(error);
    // an engine after it may refuse, which is not why there is none
    failures.failed(CudnnException.refusal("it does not go"));
    failures.refused("none is deterministic");
    assertThat(failures.fault()).containsSame(error);
    assertThat(failures.none("backward")).isSameAs(error);
  }

  @Test
  void whereNothingIsProposedThereIsNoEngine() {
    CudnnException none = failures.none("forward");
    assertThat(none).hasMessage("cuDNN has no engine for the forward: none is proposed");
    assertThat(none.isRefusal()).isTrue();
    assertThat(new CudnnException("it cannot be loaded").isRefusal()).isFalse();
  }
}
