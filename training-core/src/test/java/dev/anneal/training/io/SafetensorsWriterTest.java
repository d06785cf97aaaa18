package dev.anneal.training.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Golden;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsWriterTest {
  @TempDir Path path;

  @ParameterizedTest
  @CsvSource({
    "model, model.safetensors",
    "adapter_init, adapter_model.safetensors",
    "adapter_final, adapter_model.safetensors"
  })
  void rewritesWhatTheReferenceImplementationWroteByteForByte(String folder, String file)
      throws IOException {
    try (SafetensorsFile golden = SafetensorsFile.open(Golden.folder(folder), file);
        OutputStream out = new LocalOutputFolder(path.resolve("new/folder")).create(file)) {
      List<TensorSpec> tensors =
          golden.header().entries().values().stream()
              .map(entry -> new TensorSpec(entry.name(), entry.dtype(), entry.shape()))
              .toList();
      SafetensorsWriter.write(out, tensors, (tensor, sink) -> copyByRows(golden, tensor, sink));
    }

    assertThat(path.resolve("new/folder").resolve(file))
        .hasSameBinaryContentAs(Golden.path(folder).resolve(file));
  }

  private static void copyByRows(
      SafetensorsFile from, TensorSpec tensor, SafetensorsWriter.Sink sink) throws IOException {
    TensorEntry entry = from.header().entries().get(tensor.name());
    long rowElements = tensor.elements() / tensor.shape()[0];
    ByteBuffer row = ByteBuffer.allocateDirect((int) rowElements * tensor.dtype().bytes());
    for (long first = 0; first < tensor.elements(); first += rowElements) {
      from.read(entry, first, row.clear());
      sink.write(row.flip());
    }
  }

  @Test
  void keepsTheGivenOrderAndAnyName() throws IOException {
    String odd = "ein \"Name\"\\ mit Ümlaut\n";
    SmallSafetensors.write(
        path.resolve("file"),
        List.of(
            new TensorSpec("z", SafetensorsDType.U8, 3),
            new TensorSpec(odd, SafetensorsDType.F32, 2, 1),
            new TensorSpec("a", SafetensorsDType.I64)));

    try (SafetensorsFile file = SafetensorsFile.open(new LocalModelFolder(path), "file")) {
      assertThat(file.header().entries().keySet()).containsExactly("z", odd, "a");
      assertThat(file.header().metadata()).containsEntry("format", "pt");
      ByteBuffer data = ByteBuffer.allocate(8);
      file.read(file.header().entries().get(odd), 0, data);
      assertThat(data.array()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7})
  void dataBeginAtAMultipleOfEightBytes(int nameLength) throws IOException {
    Path file = path.resolve("file");
    SmallSafetensors.write(
        file, List.of(new TensorSpec("n".repeat(nameLength), SafetensorsDType.F32, 1)));

    try (SafetensorsFile open = SafetensorsFile.open(new LocalModelFolder(path), "file")) {
      assertThat(open.header().dataStart() % 8).isZero();
      assertThat(Files.size(file)).isEqualTo(open.header().dataStart() + 4);
    }
  }

  @Test
  void aFileWithoutTensorsIsValid() throws IOException {
    SmallSafetensors.write(path.resolve("file"), List.of());

    try (SafetensorsFile file = SafetensorsFile.open(new LocalModelFolder(path), "file")) {
      assertThat(file.header().entries()).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({"7, 1 bytes too few for tensor a", "9, 1 bytes too many for tensor a"})
  void theDataMustFillTheTensor(int bytes, String problem) {
    List<TensorSpec> tensors = List.of(new TensorSpec("a", SafetensorsDType.F32, 2));

    assertThatThrownBy(
            () ->
                SafetensorsWriter.write(
                    new ByteArrayOutputStream(),
                    tensors,
                    (tensor, sink) -> sink.write(ByteBuffer.allocate(bytes))))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(problem);
  }

  @Test
  void whoIsInterruptedWritesNoFurther() {
    List<TensorSpec> tensors = List.of(new TensorSpec("a", SafetensorsDType.F32, 2));

    Thread.currentThread().interrupt();
    try {
      assertThatThrownBy(
              () ->
                  SafetensorsWriter.write(
                      new ByteArrayOutputStream(),
                      tensors,
                      (tensor, sink) -> sink.write(ByteBuffer.allocate(8))))
          .isInstanceOf(InterruptedIOException.class);
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void namesMustDiffer() {
    TensorSpec tensor = new TensorSpec("a", SafetensorsDType.F32, 2);

    assertThatThrownBy(() -> SmallSafetensors.write(path.resolve("file"), List.of(tensor, tensor)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("named a");
  }
}
