package dev.anneal.training.model.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.io.ForwardingFolder;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SmallSafetensors;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.weights.reader.RecordingFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which models pass for the same. */
class ModelFingerprintTest {
  private static final String CONFIG = ModelCheckTest.CONFIG;

  @TempDir Path path;
  private List<TensorSpec> tensors;
  private String fingerprint;

  @BeforeEach
  void write() throws IOException {
    tensors = tensors(CONFIG, SafetensorsDType.F16);
    write(path, CONFIG, tensors);
    fingerprint = fingerprint(path);
  }

  @Test
  void theSameModelInAnotherFolder(@TempDir Path elsewhere) throws IOException {
    write(elsewhere, CONFIG, tensors);
    assertThat(fingerprint(elsewhere)).isEqualTo(fingerprint).matches("[0-9a-f]{64}");
  }

  @Test
  void theSameModelInSeveralFiles(@TempDir Path elsewhere) throws IOException {
    writeShards(elsewhere);
    assertThat(fingerprint(elsewhere)).isEqualTo(fingerprint);
  }

  @Test
  void anotherConfigurationFileOfTheSameShape() throws IOException {
    writeConfig(path, CONFIG.replace("{", "{\"transformers_version\": \"9.9\", "));
    assertThat(fingerprint(path)).isEqualTo(fingerprint);
  }

  @Test
  void anotherValueOfAnyTensor() throws IOException {
    Path file = path.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    // tensors lie end to end in their order, up to the end of the file
    long begin = bytes.length - tensors.stream().mapToLong(TensorSpec::byteSize).sum();
    for (TensorSpec tensor : tensors) {
      int middle = (int) (begin + tensor.byteSize() / 2);
      bytes[middle] ^= 1;
      Files.write(file, bytes);
      assertThat(fingerprint(path)).as(tensor.name()).isNotEqualTo(fingerprint);
      bytes[middle] ^= 1;
      begin += tensor.byteSize();
    }
  }

  @Test
  void theSameBytesInAnotherDtype() throws IOException {
    write(path, CONFIG, tensors(CONFIG, SafetensorsDType.BF16));
    assertThat(fingerprint(path)).isNotEqualTo(fingerprint);
  }

  @ParameterizedTest
  @CsvSource({"vocab_size, 12", "hidden_size, 16", "num_hidden_layers, 2"})
  void anotherShape(String key, int size) throws IOException {
    String config = with(key, size, CONFIG);
    write(path, config, tensors(config, SafetensorsDType.F16));
    assertThat(fingerprint(path)).isNotEqualTo(fingerprint);
  }

  @Test
  void anotherConfigurationOfTheSameTensors() throws IOException {
    String config = with("num_key_value_heads", 2, with("num_attention_heads", 4, CONFIG));
    assertThat(tensors(config, SafetensorsDType.F16))
        .usingRecursiveFieldByFieldElementComparator()
        .isEqualTo(tensors);
    write(path, config, tensors);
    assertThat(fingerprint(path)).isNotEqualTo(fingerprint);
  }

  @Test
  void anotherShapeOrSeedOfRandomWeights() throws IOException {
    LlamaConfig config = LlamaConfig.parse(CONFIG, "config.json");
    LlamaConfig other = LlamaConfig.parse(with("vocab_size", 12, CONFIG), "config.json");
    String random = of(new ModelSource.Random(config, 1));
    assertThat(of(new ModelSource.Random(config, 1))).isEqualTo(random);
    assertThat(of(new ModelSource.Random(config, 2))).isNotEqualTo(random);
    assertThat(of(new ModelSource.Random(other, 1))).isNotEqualTo(random);
    assertThat(fingerprint).isNotEqualTo(random);
  }

  @Test
  void theHeaderOfEveryFileIsReadOnce(@TempDir Path elsewhere) throws IOException {
    writeShards(elsewhere);
    RecordingFolder recording = new RecordingFolder(new Slow(new LocalModelFolder(elsewhere)));
    of(new ModelSource.Folder(recording));
    assertThat(recording.reads())
        .filteredOn(read -> read.file().endsWith(".safetensors") && read.from() == 0)
        .extracting(RecordingFolder.Read::file)
        .containsExactlyInAnyOrder("s1.safetensors", "s2.safetensors");
  }

  private static String with(String key, int value, String config) {
    return config.replaceFirst("\"%s\": \\d+".formatted(key), "\"%s\": %s".formatted(key, value));
  }

  private static List<TensorSpec> tensors(String config, SafetensorsDType dtype) {
    return TensorNames.shapes(LlamaConfig.parse(config, "config.json")).entrySet().stream()
        .map(shape -> new TensorSpec(shape.getKey(), dtype, shape.getValue()))
        .toList();
  }

  private static void write(Path folder, String config, List<TensorSpec> tensors)
      throws IOException {
    writeConfig(folder, config);
    SmallSafetensors.write(folder.resolve("model.safetensors"), tensors);
  }

  private void writeShards(Path folder) throws IOException {
    writeConfig(folder, CONFIG);
    int half = tensors.size() / 2;
    SmallSafetensors.writeShards(
        folder, List.of(tensors.subList(0, half), tensors.subList(half, tensors.size())));
  }

  private static void writeConfig(Path folder, String config) throws IOException {
    Files.writeString(folder.resolve("config.json"), config);
  }

  private static String of(ModelSource source) throws IOException {
    return ModelFingerprint.of(source, source.config());
  }

  private static String fingerprint(Path folder) throws IOException {
    return of(new ModelSource.Folder(new LocalModelFolder(folder)));
  }

  /** Takes long enough to find a file that all threads look for it at once. */
  private static final class Slow extends ForwardingFolder {
    Slow(ModelFolder folder) {
      super(folder);
    }

    @Override
    public boolean has(String file) throws IOException {
      LockSupport.parkNanos(100_000_000);
      return super.has(file);
    }
  }
}
