package dev.anneal.training.model.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TiedHeadTest {
  /** More than is compared at a time. */
  private static final int LARGE = 150_001;

  @TempDir Path path;

  @ParameterizedTest
  @CsvSource({"F32,F32", "BF16,BF16", "F16,F16", "F32,BF16", "F16,F32", "BF16,F16"})
  void aHeadOfTheSameValuesIsTied(SafetensorsDType embedding, SafetensorsDType head)
      throws IOException {
    // exact in all three; the last is subnormal in fp16
    float[] values = {0, 1.5f, -2, 0.15625f, -448, 0x1p-24f};
    write(11, embedding, repeated(11, values), head, repeated(11, values));

    assertThat(check().config().tieWordEmbeddings()).isTrue();
    assertThat(check().notes()).isEmpty();
    assertThat(source().config()).isEqualTo(check().config());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 41, 87})
  void aHeadOfOtherValuesIsNotTiedAndThatIsSaid(int changed) throws IOException {
    float[] embedding = repeated(11, 0.5f, -3);
    float[] head = embedding.clone();
    head[changed] = 0.25f;
    write(11, SafetensorsDType.F32, embedding, SafetensorsDType.F16, head);

    assertThat(check().config().tieWordEmbeddings()).isFalse();
    assertThat(check().notes())
        .containsExactly(
            "%s says tie_word_embeddings: true, but lm_head.weight differs from model.embed_tokens.weight: the head is not tied, as in transformers."
                .formatted(path.resolve("config.json")));
    assertThat(source().config()).isEqualTo(check().config());
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 1 << 20, LARGE * 8 - 1})
  void oneOtherValueAmongManyIsFound(int changed) throws IOException {
    float[] embedding = repeated(LARGE, 0.5f, -3);
    write(LARGE, SafetensorsDType.BF16, embedding, SafetensorsDType.BF16, embedding);
    assertThat(source().config().tieWordEmbeddings()).isTrue();

    float[] head = embedding.clone();
    head[changed] = 0.25f;
    write(LARGE, SafetensorsDType.BF16, embedding, SafetensorsDType.BF16, head);
    assertThat(source().config().tieWordEmbeddings()).isFalse();
  }

  @Test
  void theFingerprintTellsAnotherHeadApart() throws IOException {
    float[] embedding = repeated(LARGE, 0.5f, -3);
    write(LARGE, SafetensorsDType.BF16, embedding, SafetensorsDType.BF16, embedding);
    String tied = ModelFingerprint.of(source(), source().config());
    float[] head = embedding.clone();
    // not among the values that the fingerprint reads
    head[3] = 0.25f;
    write(LARGE, SafetensorsDType.BF16, embedding, SafetensorsDType.BF16, head);

    assertThat(ModelFingerprint.of(source(), source().config())).isNotEqualTo(tied);
  }

  @Test
  void aHeadOfAnotherShapeIsRefused() throws IOException {
    write(11, SafetensorsDType.F32, repeated(11, 1), SafetensorsDType.F32, repeated(12, 1));

    assertThatThrownBy(this::check)
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("tensor lm_head.weight has the shape [12, 8]");
  }

  @Test
  void withoutTheKeyTheHeadIsItsOwnAsInLlamaConfig() throws IOException {
    write(11, SafetensorsDType.F32, repeated(11, 1), SafetensorsDType.F32, repeated(11, 1));
    Files.writeString(path.resolve("config.json"), ModelCheckTest.CONFIG);

    assertThat(source().config().tieWordEmbeddings()).isFalse();
  }

  private ModelCheck.Checked check() throws IOException {
    return ModelCheck.check(new LocalModelFolder(path));
  }

  private ModelSource source() {
    return new ModelSource.Folder(new LocalModelFolder(path));
  }

  private static float[] repeated(int vocabSize, float... values) {
    float[] all = new float[vocabSize * 8];
    for (int i = 0; i < all.length; i++) {
      all[i] = values[i % values.length];
    }
    return all;
  }

  private void write(
      int vocabSize,
      SafetensorsDType embeddingType,
      float[] embedding,
      SafetensorsDType headType,
      float[] head)
      throws IOException {
    String json = ModelCheckTest.TIED.replace("\"vocab_size\": 11", "\"vocab_size\": " + vocabSize);
    Files.writeString(path.resolve("config.json"), json);
    List<TensorSpec> tensors = new ArrayList<>();
    TensorNames.shapes(LlamaConfig.parse(json, "config.json"))
        .forEach((name, shape) -> tensors.add(new TensorSpec(name, embeddingType, shape)));
    tensors.add(new TensorSpec(TensorNames.LM_HEAD, headType, head.length / 8, 8));
    try (OutputStream out = Files.newOutputStream(path.resolve("model.safetensors"))) {
      SafetensorsWriter.write(
          out,
          tensors,
          (tensor, sink) ->
              sink.write(
                  switch (tensor.name()) {
                    case TensorNames.EMBED_TOKENS -> bytes(embedding, embeddingType);
                    case TensorNames.LM_HEAD -> bytes(head, headType);
                    default -> ByteBuffer.allocate((int) tensor.byteSize());
                  }));
    }
  }

  private static ByteBuffer bytes(float[] values, SafetensorsDType dtype) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      int bits = Float.floatToIntBits(value);
      switch (dtype) {
        case F32 -> bytes.putInt(bits);
        case BF16 -> bytes.putShort((short) (bits >> 16));
        default -> bytes.putShort(half(value));
      }
    }
    return bytes.flip();
  }

  /** In fp16, the value being exact there. */
  private static short half(float value) {
    int sign = value < 0 ? 0x8000 : 0;
    float magnitude = Math.abs(value);
    int exponent = Math.max(-14, Math.getExponent(magnitude));
    float fraction = magnitude / (float) Math.scalb(1.0, exponent);
    int bits = Math.round(fraction * 1024) - (fraction >= 1 ? 1024 : 0);
    return (short) (sign | (fraction >= 1 ? (exponent + 15) << 10 : 0) | bits);
  }
}
