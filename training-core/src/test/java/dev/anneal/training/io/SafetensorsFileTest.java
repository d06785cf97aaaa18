package dev.anneal.training.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Golden;
import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsFileTest {
  @TempDir Path path;
  private LocalModelFolder folder;

  @BeforeEach
  void write() throws IOException {
    folder = new LocalModelFolder(path);
    SmallSafetensors.write(
        path.resolve("file"),
        List.of(
            new TensorSpec("a", SafetensorsDType.BF16, 2, 3),
            new TensorSpec("b", SafetensorsDType.F32, 2)));
  }

  @Test
  void readsAnyRangeOfATensor() throws IOException {
    try (SafetensorsFile file = SafetensorsFile.open(folder, "file")) {
      assertThat(read(file, "a", 0, 12)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
      assertThat(read(file, "a", 2, 4)).containsExactly(4, 5, 6, 7);
      assertThat(read(file, "b", 1, 4)).containsExactly(4, 5, 6, 7);
      assertThat(read(file, "b", 2, 0)).isEmpty();
    }
  }

  @Test
  void fillsDirectBuffersFromTheirPosition() throws IOException {
    ByteBuffer into = ByteBuffer.allocateDirect(6).position(2);
    try (SafetensorsFile file = SafetensorsFile.open(folder, "file")) {
      file.read(file.header().entries().get("a"), 1, into);
    }
    assertThat(into.hasRemaining()).isFalse();
    assertThat(into.flip()).isEqualTo(ByteBuffer.wrap(new byte[] {0, 0, 2, 3, 4, 5}));
  }

  @Test
  void readsTheReferenceTokens() throws IOException {
    try (SafetensorsFile file = SafetensorsFile.open(golden(), "logits.safetensors")) {
      TensorEntry mask = file.header().entries().get("attention_mask");
      ByteBuffer bytes = ByteBuffer.allocate((int) mask.byteSize()).order(ByteOrder.LITTLE_ENDIAN);
      file.read(mask, 0, bytes);
      bytes.flip();
      while (bytes.hasRemaining()) {
        assertThat(bytes.getInt()).isBetween(0, 1);
      }
    }
  }

  @Test
  void rangesOutsideTheTensorAreAnError() throws IOException {
    try (SafetensorsFile file = SafetensorsFile.open(folder, "file")) {
      assertThatThrownBy(() -> read(file, "a", 0, 13))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> read(file, "a", 5, 4)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> read(file, "a", -1, 2))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void aFileThatShrinksWhileOpenIsNamedWithTheTensor() throws IOException {
    try (SafetensorsFile file = SafetensorsFile.open(folder, "file");
        FileChannel other = FileChannel.open(path.resolve("file"), StandardOpenOption.WRITE)) {
      other.truncate(other.size() - 3);

      assertThat(read(file, "a", 0, 12)).hasSize(12);
      assertThatThrownBy(() -> read(file, "b", 0, 8))
          .isInstanceOf(InvalidModelException.class)
          .hasMessageContainingAll(path.resolve("file").toString(), "truncated", "tensor b");
    }
  }

  @Test
  void aMissingFileIsNamed() {
    assertThatThrownBy(() -> SafetensorsFile.open(folder, "other"))
        .isInstanceOf(InvalidModelException.class)
        .hasMessage("%s has no other.", path);
  }

  @Test
  void aRefusedFileIsClosed() throws IOException {
    SeekableByteChannel[] opened = new SeekableByteChannel[1];
    ModelFolder watched =
        new ForwardingFolder(folder) {
          @Override
          public SeekableByteChannel open(String file) throws IOException {
            opened[0] = super.open(file);
            return opened[0];
          }
        };
    SmallSafetensors.writeRaw(path.resolve("broken"), "{}", 1);

    assertThatThrownBy(() -> SafetensorsFile.open(watched, "broken"))
        .isInstanceOf(InvalidModelException.class);
    assertThat(opened[0].isOpen()).isFalse();
  }

  private static LocalModelFolder golden() {
    return new LocalModelFolder(Golden.path("."));
  }

  private static byte[] read(SafetensorsFile file, String tensor, long firstElement, int bytes)
      throws IOException {
    ByteBuffer into = ByteBuffer.allocate(bytes);
    file.read(file.header().entries().get(tensor), firstElement, into);
    return into.array();
  }
}
