package dev.anneal.training.model;

import static dev.anneal.training.model.Attention.attention;
import static dev.anneal.training.model.RmsNorm.rmsNorm;

import dev.anneal.training.model.config.LlamaConfig;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * One decoder layer of the Llama family (<a href="https://arxiv.org/abs/2407.21783">Llama 3</a>),
 * as Hugging Face's {@code LlamaDecoderLayer} computes it.
 */
public record LlamaLayer(LlamaConfig config, Weights weights, LayerAdapters adapters) {
  /**
   * The weights of one decoder layer in the compute dtype, frozen or trained.
   *
   * @param linears {@code [out, in]} of each of the seven linear modules
   * @param inputLayernorm {@code [hidden_size]}
   * @param postAttentionLayernorm {@code [hidden_size]}
   */
  public record Weights(
      Map<LinearModule, Tensor> linears, Tensor inputLayernorm, Tensor postAttentionLayernorm) {}

  /**
   * Attention and MLP, each added to its input.
   *
   * @param x {@code [T, hidden_size]}
   * @param rowLengths rows that lie end to end in {@code x}
   * @return {@code [T, hidden_size]}
   */
  Tensor forward(Tensor x, Rope rope, int[] rowLengths) {
    return forward(x, rope, (q, k, v) -> attention(q, k, v, rowLengths));
  }

  /** How the tokens of {@code x} see others; as {@link Attention#attention} without the rows. */
  interface Seen {
    Tensor attend(Tensor q, Tensor k, Tensor v);
  }

  /** The same, of tokens that see what {@code seen} says. */
  Tensor forward(Tensor x, Rope rope, Seen seen) {
    double eps = config.rmsNormEps();
    Tensor h = x.add(selfAttn(rmsNorm(x, weights.inputLayernorm(), eps), rope, seen));
    return h.add(mlp(rmsNorm(h, weights.postAttentionLayernorm(), eps)));
  }

  private Tensor selfAttn(Tensor x, Rope rope, Seen seen) {
    Tensor q = rope.rotate(heads(linear(LinearModule.Q_PROJ, x)));
    Tensor k = rope.rotate(heads(linear(LinearModule.K_PROJ, x)));
    Tensor v = heads(linear(LinearModule.V_PROJ, x));
    return linear(LinearModule.O_PROJ, seen.attend(q, k, v));
  }

  /** SwiGLU (<a href="https://arxiv.org/abs/2002.05202">Shazeer 2020</a>). */
  private Tensor mlp(Tensor x) {
    Tensor gate = torch.silu(linear(LinearModule.GATE_PROJ, x));
    return linear(LinearModule.DOWN_PROJ, gate.mul(linear(LinearModule.UP_PROJ, x)));
  }

  private Tensor linear(LinearModule module, Tensor x) {
    return adapters.linear(module, x, weights.linears().get(module));
  }

  /** {@code [T, n * head_dim]} to {@code [T, n, head_dim]} */
  private Tensor heads(Tensor x) {
    return x.view(x.size(0), -1, config.headDim());
  }
}
