package dev.anneal.training.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Golden;
import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsIndexTest {
  private static final String INDEX =
      """
      {"metadata": {"total_size": 32},
       "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}""";

  @TempDir Path path;

  @Test
  void oneFileNeedsNoIndex() throws IOException {
    try (SafetensorsIndex index =
        SafetensorsIndex.open(Golden.folder("adapter_init"), SafetensorsIndex.ADAPTER_FILE)) {
      assertThat(index.names()).hasSize(3 * 7 * 2);
      String name = "base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight";
      assertThat(index.has(name)).isTrue();
      assertThat(index.entry(name).shape()).containsExactly(8, 64);
      assertThat(index.where(name)).endsWith("adapter_init/adapter_model.safetensors");
    }
  }

  @Test
  void anIndexLeadsToTheFileOfEachTensor() throws IOException {
    writeSharded();
    try (SafetensorsIndex index = open()) {
      assertThat(index.names()).containsExactly("a", "b");
      assertThat(index.where("b")).endsWith("model-2.safetensors");
      assertThat(index.entry("b").dtype()).isEqualTo(SafetensorsDType.F16);
      assertThat(index.entry("a").shape()).containsExactly(2, 3);
      ByteBuffer last = ByteBuffer.allocate(2);
      index.read("b", 3, last);
      assertThat(last.array()).containsExactly(6, 7);
    }
  }

  @Test
  void filesOpenOnFirstUseAndCloseTogether() throws IOException {
    writeSharded();
    List<SeekableByteChannel> opened = new ArrayList<>();
    SafetensorsIndex index = SafetensorsIndex.open(watched(opened), SafetensorsIndex.MODEL_FILE);
    // the index itself is read and closed
    assertThat(opened).hasSize(1).noneMatch(SeekableByteChannel::isOpen);

    index.entry("a");
    index.entry("a");
    assertThat(opened).hasSize(2);
    index.entry("b");
    assertThat(opened).hasSize(3);
    assertThat(opened.subList(1, 3)).allMatch(SeekableByteChannel::isOpen);

    index.close();
    assertThat(opened).noneMatch(SeekableByteChannel::isOpen);
  }

  @Test
  void filesOpenAtTheSameTime() throws IOException {
    writeSharded();
    CountDownLatch both = new CountDownLatch(2);
    ModelFolder slow =
        new ForwardingFolder(new LocalModelFolder(path)) {
          @Override
          public SeekableByteChannel open(String file) throws IOException {
            if (file.startsWith("model-")) {
              both.countDown();
              await(both);
            }
            return super.open(file);
          }
        };
    try (SafetensorsIndex index = SafetensorsIndex.open(slow, SafetensorsIndex.MODEL_FILE)) {
      index.open(index.names());
      assertThat(index.entry("a").shape()).containsExactly(2, 3);
      assertThat(index.entry("b").shape()).containsExactly(4);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(30, TimeUnit.SECONDS)).as("one waits for the other").isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aFailureToCloseKeepsNoOtherFileOpen() throws IOException {
    writeSharded();
    SafetensorsIndex index = SafetensorsIndex.open(failingToClose(), SafetensorsIndex.MODEL_FILE);
    index.entry("a");
    index.entry("b");

    assertThatThrownBy(index::close)
        .isInstanceOf(IOException.class)
        .hasMessage("closing model-2.safetensors")
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .extracting(Throwable::getMessage)
                    .containsExactly("closing model-1.safetensors"));
  }

  @Test
  void aFolderWithoutWeightsIsRefused() {
    assertThatThrownBy(this::open)
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContainingAll(
            path.toString(), "neither model.safetensors nor model.safetensors.index.json");
  }

  @Test
  void aMissingShardIsNamed() throws IOException {
    writeSharded();
    Files.delete(path.resolve("model-2.safetensors"));

    try (SafetensorsIndex index = open()) {
      assertThatThrownBy(() -> index.open(index.names()))
          .isInstanceOf(InvalidModelException.class)
          .hasMessageContainingAll(
              "model.safetensors.index.json names model-2.safetensors for tensor b",
              "no such file");
    }
  }

  @Test
  void aTensorThatItsShardLacksIsNamed() throws IOException {
    writeSharded();
    SmallSafetensors.write(
        path.resolve("model-2.safetensors"),
        List.of(new TensorSpec("other", SafetensorsDType.F32, 1)));

    try (SafetensorsIndex index = open()) {
      assertThatThrownBy(() -> index.entry("b"))
          .isInstanceOf(InvalidModelException.class)
          .hasMessageContaining(path.resolve("model-2.safetensors") + " lacks tensor b");
    }
  }

  @Test
  void anUnknownTensorIsNamed() throws IOException {
    writeSharded();
    try (SafetensorsIndex index = open()) {
      assertThat(index.has("c")).isFalse();
      assertThatThrownBy(() -> index.read("c", 0, ByteBuffer.allocate(1)))
          .isInstanceOf(InvalidModelException.class)
          .hasMessageContaining("model.safetensors.index.json lacks tensor c");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../model-1.safetensors",
        "/etc/passwd",
        "..",
        ".",
        "",
        " ",
        "sub/model.safetensors",
        "..\\\\model.safetensors",
        "s3a://bucket/model.safetensors",
        "model\\u0000.safetensors"
      })
  void filesOutsideTheFolderAreRefused(String file) throws IOException {
    writeSharded();
    writeIndex(INDEX.replace("model-1.safetensors", file));

    assertThatThrownBy(this::open)
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("weight_map.a names the file");
  }

  @Test
  void everyTruncationOfTheIndexIsRefused() throws IOException {
    writeSharded();
    for (int length = 0; length < INDEX.length(); length++) {
      writeIndex(INDEX.substring(0, length));
      assertThatThrownBy(this::open)
          .as("%d bytes", length)
          .isInstanceOf(InvalidModelException.class)
          .hasMessageContaining("model.safetensors.index.json");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"{}", "{\"weight_map\": []}", "{\"weight_map\": {\"a\": 1}}", "[]", "null"})
  void anIndexOfAnotherShapeIsRefused(String json) throws IOException {
    writeIndex(json);

    assertThatThrownBy(this::open)
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("model.safetensors.index.json");
  }

  private SafetensorsIndex open() throws IOException {
    return SafetensorsIndex.open(new LocalModelFolder(path), SafetensorsIndex.MODEL_FILE);
  }

  private void writeSharded() throws IOException {
    SmallSafetensors.write(
        path.resolve("model-1.safetensors"),
        List.of(new TensorSpec("a", SafetensorsDType.F32, 2, 3)));
    SmallSafetensors.write(
        path.resolve("model-2.safetensors"), List.of(new TensorSpec("b", SafetensorsDType.F16, 4)));
    writeIndex(INDEX);
  }

  private void writeIndex(String json) throws IOException {
    Files.writeString(path.resolve("model.safetensors.index.json"), json);
  }

  private ModelFolder failingToClose() {
    return new ForwardingFolder(new LocalModelFolder(path)) {
      @Override
      public SeekableByteChannel open(String file) throws IOException {
        SeekableByteChannel channel = super.open(file);
        return file.endsWith(".json") ? channel : new FailingToClose(channel, file);
      }
    };
  }

  private static final class FailingToClose extends ForwardingFolder.Channel {
    private final String file;

    FailingToClose(SeekableByteChannel channel, String file) {
      super(channel);
      this.file = file;
    }

    @Override
    public void close() throws IOException {
      super.close();
      throw new IOException("closing " + file);
    }
  }

  private ModelFolder watched(List<SeekableByteChannel> opened) {
    return new ForwardingFolder(new LocalModelFolder(path)) {
      @Override
      public SeekableByteChannel open(String file) throws IOException {
        SeekableByteChannel channel = super.open(file);
        opened.add(channel);
        return channel;
      }
    };
  }
}
