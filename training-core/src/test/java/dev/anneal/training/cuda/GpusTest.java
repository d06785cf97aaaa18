package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.anneal.training.tensor.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GpusTest {
  @TempDir Path folder;

  @Test
  void aMissingOrAnOldDriverIsNamed() {
    assertThatThrownBy(() -> Gpus.requireDriver(0, "unknown"))
        .isInstanceOf(GpuException.class)
        .hasMessageContaining("no NVIDIA driver");
    assertThatThrownBy(() -> Gpus.requireDriver(12080, "570.86.15"))
        .hasMessageStartingWith("The NVIDIA driver 570.86.15 serves CUDA 12.8")
        .hasMessageContaining("driver 580 or newer");
    assertThatCode(() -> Gpus.requireDriver(13000, "580.95.05")).doesNotThrowAnyException();
  }

  @Test
  void tooFewGpusAreCounted() {
    assertThatThrownBy(() -> Gpus.requireEnough(2, 1, "3"))
        .hasMessageStartingWith("There is 1 GPU with CUDA_VISIBLE_DEVICES=3, but 2 are needed");
    assertThatThrownBy(() -> Gpus.requireEnough(1, 0, null))
        .hasMessageStartingWith("There are no GPUs, but 1 is needed")
        .hasMessageContaining("cluster.gpus_per_node");
    assertThatCode(() -> Gpus.requireEnough(2, 8, null)).doesNotThrowAnyException();
  }

  @Test
  void theDriverTellsItsVersion() throws IOException {
    Path file = folder.resolve("version");
    Files.writeString(
        file,
        """
        NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build
        GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
        """);
    assertThat(Gpus.driver(file)).isEqualTo("580.95.05");
    assertThat(Gpus.driver(folder.resolve("none"))).isEqualTo("unknown");
  }

  @Test
  void withoutTheBuildForGpusThatIsSaid() {
    assumeThat(Gpus.build()).isEqualTo(Gpus.Build.CPU);
    assertThatThrownBy(() -> Gpus.require(1))
        .isInstanceOf(GpuException.class)
        .hasMessageContaining("only the libraries for CPUs");
  }

  @Test
  void aLibraryThatIsNotThereIsNamed() {
    LinkageError lacking = new UnsatisfiedLinkError("no jnitorch_cuda in java.library.path");
    lacking.initCause(
        new UnsatisfiedLinkError(
            "/cache/libjnitorch_cuda.so: libcudnn.so.9: cannot open shared object file: No such file"));
    assertThat(Gpus.missing(lacking))
        .hasMessageStartingWith("The library libcudnn.so.9 is missing");
    assertThat(Gpus.missing(new UnsatisfiedLinkError("no jnicudart in java.library.path: /usr")))
        .hasMessageContaining("(no jnicudart in java.library.path: /usr)");
  }

  @Test
  @Tag("gpu")
  void findsGpusAndBindsThem() {
    Gpu gpu = Gpus.require(1).get(0);
    assertThat(gpu.index()).isZero();
    assertThat(gpu.name()).isNotBlank();
    assertThat(gpu.memoryBytes()).isGreaterThan(1L << 30);
    assertThat(Gpus.build()).isEqualTo(Gpus.Build.GPU);
    Gpus.bind(Device.gpu(0));
    assertThatThrownBy(() -> Gpus.require(1000)).hasMessageContaining("but 1000 are needed");
  }
}
