package dev.anneal.training.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.anneal.training.Golden;
import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsHeaderTest {
  @TempDir Path folder;

  @Test
  void readsTheReferenceModel() throws IOException {
    SafetensorsHeader header = read(Golden.path("model/model.safetensors"));

    assertThat(header.metadata()).containsExactly(Map.entry("format", "pt"));
    assertThat(header.dataStart()).isEqualTo(8 + 3072);
    assertThat(header.entries()).hasSize(3 + 3 * 9);
    assertThat(header.entries().keySet()).first().isEqualTo("lm_head.weight");
    TensorEntry downProj = header.entries().get("model.layers.0.mlp.down_proj.weight");
    assertThat(downProj.dtype()).isEqualTo(SafetensorsDType.F32);
    assertThat(downProj.shape()).containsExactly(64, 176);
    assertThat(downProj.begin()).isEqualTo(164_096);
    assertThat(downProj.elements()).isEqualTo(64 * 176);
    assertThat(downProj.byteSize()).isEqualTo(64 * 176 * 4);
  }

  @Test
  void readsEveryTypeScalarsAndEmptyTensors() throws IOException {
    List<TensorSpec> tensors =
        Arrays.stream(SafetensorsDType.values())
            .map(dtype -> new TensorSpec("of " + dtype, dtype, 3, 5))
            .collect(Collectors.toCollection(ArrayList::new));
    tensors.add(new TensorSpec("scalar", SafetensorsDType.F16));
    tensors.add(new TensorSpec("empty", SafetensorsDType.BF16, 0, 4));
    SmallSafetensors.write(folder.resolve("types"), tensors);

    SafetensorsHeader header = read(folder.resolve("types"));

    assertThat(header.entries()).hasSize(SafetensorsDType.values().length + 2);
    assertThat(header.entries().get("of BF16").byteSize()).isEqualTo(30);
    assertThat(header.entries().get("of F8_E4M3").byteSize()).isEqualTo(15);
    assertThat(header.entries().get("scalar").elements()).isEqualTo(1);
    assertThat(header.entries().get("empty").elements()).isZero();
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    Path whole = smallFile();
    byte[] bytes = Files.readAllBytes(whole);
    Path part = folder.resolve("part");
    for (int length = 0; length < bytes.length; length++) {
      Files.write(part, Arrays.copyOf(bytes, length));
      assertThatThrownBy(() -> read(part))
          .as("%d of %d bytes", length, bytes.length)
          .isInstanceOf(InvalidModelException.class)
          .hasMessageContainingAll(part.toString(), "truncated", "it has " + length);
    }
  }

  @Test
  void truncationNamesTheTensorAndTheSizes() throws IOException {
    byte[] bytes = Files.readAllBytes(smallFile());
    Path part = folder.resolve("part");
    Files.write(part, Arrays.copyOf(bytes, bytes.length - 1));

    assertThatThrownBy(() -> read(part))
        .hasMessage(
            "%s is truncated: tensor b needs the file to have %d bytes and it has %d; copy it again.",
            part, bytes.length, bytes.length - 1);
  }

  @Test
  void anyDamagedByteOfTheHeaderIsRefusedOrHarmless() throws IOException {
    byte[] bytes = Files.readAllBytes(smallFile());
    int headerEnd = (int) read(smallFile()).dataStart();
    Path damaged = folder.resolve("damaged");
    int refused = 0;
    for (int at = 0; at < headerEnd; at++) {
      for (int value : new int[] {0, '"', '{', '}', ',', '-', '9', 'e', 0x80, 0xff}) {
        byte[] copy = bytes.clone();
        copy[at] = (byte) value;
        Files.write(damaged, copy);
        Throwable thrown = catchThrowable(() -> read(damaged));
        if (thrown != null) {
          assertThat(thrown)
              .as("byte %d as %d", at, value)
              .isInstanceOf(InvalidModelException.class)
              .hasMessageContaining(damaged.toString());
          refused++;
        }
      }
    }
    assertThat(refused).isGreaterThan(headerEnd * 5);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}    | a.dtype is F4
          {"a":{"shape":[2],"data_offsets":[0,8]}}                 | a.dtype is missing
          {"a":{"dtype":"F32","data_offsets":[0,8]}}               | a.shape is missing
          {"a":{"dtype":"F32","shape":[2]}}                        | a.data_offsets is missing
          {"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}   | span the 12 bytes
          {"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}  | negative size
          {"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}} | must be a whole number, not 2.5
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}   | must be [begin, end]
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}  | must be [begin, end]
          {"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}     | must be [begin, end]
          {"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}   | begin at byte 4 instead of 0
          {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   | end at byte 66 but the file has 70
          {"a":7}                                                  | a must be an object, not 7
          {"__metadata__":{"step":7},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}} | step must be text, not 7
          {"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,8]}} | more elements
          """)
  void inconsistentHeadersAreRefused(String header, String problem) throws IOException {
    Path file = folder.resolve("file");
    SmallSafetensors.writeRaw(file, header, 8);

    assertThatThrownBy(() -> read(file))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContainingAll(file.toString(), problem);
  }

  @Test
  void overlapsAreRefused() throws IOException {
    Path file = folder.resolve("file");
    SmallSafetensors.writeRaw(
        file,
        """
        {"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},\
        "b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""",
        8);

    assertThatThrownBy(() -> read(file))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("tensor b begin at byte 4 instead of 6");
  }

  @Test
  void twoTensorsOfOneNameAreRefused() throws IOException {
    Path file = folder.resolve("file");
    String tensor = "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
    SmallSafetensors.writeRaw(file, "{" + tensor + "," + tensor + "}", 0);

    assertThatThrownBy(() -> read(file))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("not valid JSON");
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, 0, 1, 100_000_001, Long.MAX_VALUE})
  void absurdHeaderLengthsAreRefusedUnread(long length) throws IOException {
    Path file = folder.resolve("file");
    Files.write(file, SmallSafetensors.length(length));

    assertThatThrownBy(() -> read(file))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("is not a safetensors file");
  }

  @Test
  void anotherKindOfFileIsRefused() throws IOException {
    Path file = folder.resolve("file");
    SmallSafetensors.writeRaw(file, "[1, 2, 3]", 0);

    assertThatThrownBy(() -> read(file))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("does not begin with '{'");
  }

  private Path smallFile() throws IOException {
    Path file = folder.resolve("small");
    SmallSafetensors.write(
        file,
        List.of(
            new TensorSpec("a", SafetensorsDType.F16, 2, 3),
            new TensorSpec("b", SafetensorsDType.BF16, 5)));
    return file;
  }

  private static SafetensorsHeader read(Path file) throws IOException {
    try (SeekableByteChannel channel = Files.newByteChannel(file)) {
      return SafetensorsHeader.read(channel, file.toString());
    }
  }
}
