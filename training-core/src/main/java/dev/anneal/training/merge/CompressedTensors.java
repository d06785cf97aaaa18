package dev.anneal.training.merge;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * FP8 as vLLM and transformers load it: {@code weight [out, in]} in e4m3 beside {@code weight_scale
 * [out, 1]} in bf16, activations quantized a token at a time when they are there.
 *
 * @see <a href="https://github.com/neuralmagic/compressed-tensors">compressed-tensors, format
 *     {@code float-quantized}</a>
 */
final class CompressedTensors {
  private static final String SCALE = "_scale";
  private static final double LARGEST = 448;

  private CompressedTensors() {}

  /**
   * Quantized rows.
   *
   * @param bytes {@code [R, D]} of e4m3
   * @param scale {@code [R, 1]} of bf16
   */
  record Rows(Tensor bytes, Tensor scale) {}

  /** The scales of a weight {@code [out, in]}. */
  static TensorSpec scale(TensorEntry weight) {
    return new TensorSpec(weight.name() + SCALE, SafetensorsDType.BF16, weight.shape()[0], 1);
  }

  static String scaleOf(String weight) {
    return weight + SCALE;
  }

  static boolean isScale(TensorSpec tensor) {
    return tensor.name().endsWith(".weight" + SCALE);
  }

  /**
   * Rounds once, with the scale as it is stored.
   *
   * @param rows {@code [R, D]} of fp32
   */
  static Rows quantize(Tensor rows) {
    Tensor scale =
        rows.abs().amax(new long[] {1}, true).div_(Tensors.scalar(LARGEST)).to(ScalarType.BFloat16);
    // a row of zeros, or of values too small for a scale
    scale.masked_fill_(scale.eq(Tensors.scalar(0)), Tensors.scalar(1));
    // a scale that was rounded down would let the largest value out of range
    Tensor scaled = Tensors.clamp(rows.div(scale.to(ScalarType.Float)), LARGEST);
    return new Rows(scaled.to(ScalarType.Float8_e4m3fn), scale);
  }

  /** Puts the {@code quantization_config} of such weights into a {@code config.json}. */
  static void describe(ObjectNode config) {
    ObjectNode quantization = config.putObject("quantization_config");
    ObjectNode group = quantization.putObject("config_groups").putObject("group_0");
    numbers(group.putObject("input_activations"), "token", true);
    group.putNull("output_activations");
    group.putArray("targets").add("Linear");
    numbers(group.putObject("weights"), "channel", false);
    quantization.put("format", "float-quantized");
    quantization.putArray("ignore").add("lm_head");
    quantization.putNull("kv_cache_scheme");
    quantization.put("quant_method", "compressed-tensors");
    quantization.put("quantization_status", "compressed");
  }

  private static void numbers(ObjectNode json, String strategy, boolean dynamic) {
    json.put("dynamic", dynamic);
    json.put("num_bits", 8);
    json.put("strategy", strategy);
    json.put("symmetric", true);
    json.put("type", "float");
  }
}
