package dev.anneal.training.model.config;

import dev.anneal.training.io.Concurrently;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.Sha256;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.lora.PeftConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;

/**
 * Tells models apart without reading them: their shape, and a few values out of the middle of up to
 * 64 tensors that are spread evenly over the model. A model that was tuned further has other values
 * in nearly all of them.
 */
public final class ModelFingerprint {
  private static final int TENSORS = 64;
  private static final int ELEMENTS = 256;
  private static final int READ_AT_ONCE = 16;

  private ModelFingerprint() {}

  /**
   * SHA-256 in hexadecimal digits, the same wherever the model lies.
   *
   * @param config the shape of {@code source}
   */
  public static String of(ModelSource source, LlamaConfig config) throws IOException {
    MessageDigest digest = Sha256.digest();
    // not the file as it is written: names of tools and their versions come and go
    digest.update(config.toString().getBytes(StandardCharsets.UTF_8));
    if (source instanceof ModelSource.Random random) {
      digest.update(ByteBuffer.allocate(Long.BYTES).putLong(random.seed()).flip());
    } else if (source instanceof ModelSource.Folder model) {
      addValues(model.folder(), SafetensorsIndex.MODEL_FILE, digest);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** The same of an adapter in PEFT's form, by its settings and values. */
  public static String ofAdapter(ModelFolder adapter) throws IOException {
    MessageDigest digest = Sha256.digest();
    digest.update(PeftConfig.read(adapter).lora().identity().getBytes(StandardCharsets.UTF_8));
    addValues(adapter, SafetensorsIndex.ADAPTER_FILE, digest);
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void addValues(ModelFolder folder, String file, MessageDigest digest)
      throws IOException {
    try (SafetensorsIndex index = SafetensorsIndex.open(folder, file)) {
      List<String> chosen = chosen(index);
      index.open(chosen);
      Map<String, ByteBuffer> values = new ConcurrentHashMap<>();
      Concurrently.forEach(chosen, READ_AT_ONCE, name -> values.put(name, middle(index, name)));
      for (String name : chosen) {
        digest.update((name + index.entry(name).dtype()).getBytes(StandardCharsets.UTF_8));
        digest.update(values.get(name));
      }
    }
  }

  private static List<String> chosen(SafetensorsIndex index) {
    List<String> names = index.names().stream().sorted().toList();
    int count = Math.min(TENSORS, names.size());
    return IntStream.range(0, count)
        .mapToObj(i -> names.get((int) ((long) i * names.size() / count)))
        .toList();
  }

  private static ByteBuffer middle(SafetensorsIndex index, String name) throws IOException {
    TensorEntry entry = index.entry(name);
    int count = (int) Math.min(ELEMENTS, entry.elements());
    ByteBuffer values = ByteBuffer.allocateDirect(count * entry.dtype().bytes());
    index.read(name, (entry.elements() - count) / 2, values);
    return values.flip();
  }
}
