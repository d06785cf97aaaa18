package dev.anneal.training.model.config;

import dev.anneal.training.io.Concurrently;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.TensorEntry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;

/**
 * Whether a model's head is its embedding. Where {@code config.json} says {@code
 * tie_word_embeddings: true} and the weights have a head of their own with other values, the two
 * are not tied.
 *
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_utils.py">transformers
 *     5, {@code PreTrainedModel.tie_weights}</a>
 */
final class TiedHead {
  /** What is read of each of the two at a time; small enough for a driver of 1 GB. */
  private static final int ELEMENTS = 1 << 20;

  private static final int READ_AT_ONCE = 4;

  /** Enough to tell nearly every two heads apart. */
  private static final int SAMPLE = 256;

  private TiedHead() {}

  /**
   * The shape of the model that {@code folder} holds: {@code config}, or the same untied.
   *
   * @param config as {@code config.json} gives it
   * @throws dev.anneal.training.InvalidModelException if the head is not of the model's shape
   */
  static LlamaConfig resolve(LlamaConfig config, ModelFolder folder) throws IOException {
    if (!config.tieWordEmbeddings()) {
      return config;
    }
    try (SafetensorsIndex index = SafetensorsIndex.open(folder, SafetensorsIndex.MODEL_FILE)) {
      return resolve(config, index);
    }
  }

  static LlamaConfig resolve(LlamaConfig config, SafetensorsIndex index) throws IOException {
    boolean ownHead = config.tieWordEmbeddings() && index.has(TensorNames.LM_HEAD);
    return ownHead && differs(config, index) ? config.untied() : config;
  }

  private static boolean differs(LlamaConfig config, SafetensorsIndex index) throws IOException {
    long[] shape = {config.vocabSize(), config.hiddenSize()};
    long elements = shape[0] * shape[1];
    index.requireWeight(TensorNames.EMBED_TOKENS, shape);
    index.requireWeight(TensorNames.LM_HEAD, shape);
    int sample = (int) Math.min(SAMPLE, elements);
    if (differs(index, (elements - sample) / 2, sample)) {
      return true;
    }
    List<Long> starts =
        LongStream.range(0, (elements + ELEMENTS - 1) / ELEMENTS)
            .mapToObj(i -> i * ELEMENTS)
            .toList();
    AtomicBoolean found = new AtomicBoolean();
    Concurrently.forEach(
        starts,
        READ_AT_ONCE,
        start -> {
          int count = (int) Math.min(ELEMENTS, elements - start);
          if (!found.get() && differs(index, start, count)) {
            found.set(true);
          }
        });
    return found.get();
  }

  private static boolean differs(SafetensorsIndex index, long first, int count) throws IOException {
    TensorEntry embedding = index.entry(TensorNames.EMBED_TOKENS);
    TensorEntry head = index.entry(TensorNames.LM_HEAD);
    ByteBuffer ours = read(index, TensorNames.EMBED_TOKENS, embedding.dtype(), first, count);
    ByteBuffer theirs = read(index, TensorNames.LM_HEAD, head.dtype(), first, count);
    if (embedding.dtype() == head.dtype() && ours.mismatch(theirs) < 0) {
      return false;
    }
    for (int i = 0; i < count; i++) {
      if (value(ours, embedding.dtype(), i) != value(theirs, head.dtype(), i)) {
        return true;
      }
    }
    return false;
  }

  private static ByteBuffer read(
      SafetensorsIndex index, String name, SafetensorsDType dtype, long first, int count)
      throws IOException {
    ByteBuffer values = ByteBuffer.allocate(count * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    index.read(name, first, values);
    return values.flip();
  }

  private static float value(ByteBuffer values, SafetensorsDType dtype, int i) {
    return switch (dtype) {
      case F32 -> values.getFloat(i * Float.BYTES);
      case F16 -> half(values.getShort(i * Short.BYTES));
      case BF16 -> Float.intBitsToFloat(values.getShort(i * Short.BYTES) << 16);
      default -> throw new IllegalArgumentException(dtype + " is no weight");
    };
  }

  private static float half(short bits) {
    int magnitude = bits & 0x7fff;
    // fraction and exponent move to their places in fp32; the product mends the exponent's bias
    float value =
        magnitude < 0x7c00
            ? Float.intBitsToFloat(magnitude << 13) * 0x1p112f
            : Float.intBitsToFloat(0x7f800000 | (magnitude & 0x3ff) << 13);
    return bits < 0 ? -value : value;
  }
}
