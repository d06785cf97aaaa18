package dev.anneal.training.fused;

import static dev.anneal.training.model.ModuleGroup.DOWN;
import static dev.anneal.training.model.ModuleGroup.GATE_UP;
import static dev.anneal.training.model.ModuleGroup.O;
import static dev.anneal.training.model.ModuleGroup.QKV;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Kernels.Normed;
import dev.anneal.training.kernel.Kernels.SwigluGradient;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.Rows;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.weights.FrozenLayer;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/**
 * One decoder layer on one micro-batch, forward and backward; compare {@code LlamaLayer}. Shapes as
 * in {@link Saved}; {@code dX} is the gradient of the loss with respect to {@code x}.
 *
 * @param tokens which of them go on behind attention
 */
record FusedLayer(
    LlamaConfig config,
    Kernels kernels,
    RowAttention rowAttention,
    FrozenLayer weights,
    Map<ModuleGroup, LoraLinear> linears,
    LayerTokens tokens) {

  /** The result of {@link #forward}. */
  record Output(Saved saved, Tensor y) {}

  Output forward(Tensor x) {
    Saved saved = forwardToMlp(x);
    Rows act = kernels.swiglu(saved.mlp().gateUp(), linears.get(DOWN).matmul());
    LoraLinear.Output down = linears.get(DOWN).forward(act);
    Tensor y = down.y().add_(saved.mlp().h());
    return new Output(saved.withLowDown(down.low()), tokens.spread(y));
  }

  /** All that the backward reads: the down projection is none of it. */
  Saved forwardToMlp(Tensor x) {
    Saved.Attention attention = attention(x);
    return new Saved(attention, toMlp(attention));
  }

  private Saved.Attention attention(Tensor x) {
    Normed input =
        kernels.rmsNorm(
            x, weights.inputLayernorm(), config.rmsNormEps(), linears.get(QKV).matmul());
    LoraLinear.Output qkv = linears.get(QKV).forward(input.output());
    kernels.rope(
        heads(qkv.y(), 0, config.numAttentionHeads() + config.numKeyValueHeads()), tokens.angles());
    RowAttention.Output output =
        rowAttention.forward(q(qkv.y()), k(qkv.y()), v(qkv.y()), tokens.batch());
    return new Saved.Attention(x, input.rstd(), qkv.y(), qkv.low(), output);
  }

  private Saved.Mlp toMlp(Saved.Attention attention) {
    LoraLinear oProj = linears.get(O);
    LoraLinear.Output o = oProj.forward(oProj.rows(attended(attention)));
    // o.y() becomes x + o.y()
    Normed post =
        kernels.addRmsNorm(
            tokens.select(attention.x()),
            o.y(),
            weights.postAttentionLayernorm(),
            config.rmsNormEps(),
            linears.get(GATE_UP).matmul());
    LoraLinear.Output gateUp = linears.get(GATE_UP).forward(post.output());
    return new Saved.Mlp(o.low(), o.y(), post.rstd(), gateUp.y(), gateUp.low(), Optional.empty());
  }

  /**
   * Overwrites what {@code saved} holds.
   *
   * @param gradient what the adapters' gradients are added to, {@code [n]} fp32
   * @return {@code dX}
   */
  Tensor backward(Saved saved, Tensor dY, Tensor gradient) {
    Rows dH = mlpBackward(saved.mlp(), tokens.select(dY), gradient);
    LoraLinear oProj = linears.get(O);
    Tensor dAttended =
        oProj.backward(dH, () -> attended(saved.attention()), saved.mlp().lowO(), gradient);
    return attentionBackward(
        saved.attention(), tokens.spread(dAttended), tokens.spread(dH.values()), gradient);
  }

  private Rows mlpBackward(Saved.Mlp saved, Tensor dY, Tensor gradient) {
    LoraLinear down = linears.get(DOWN);
    LoraLinear gateUp = linears.get(GATE_UP);
    LoraLinear.InputGradient dDown = down.inputGradient(down.gradientRows(dY));
    SwigluGradient mlp = kernels.swigluBackward(dDown.dX(), saved.gateUp(), gateUp.columnScale());
    Tensor lowDown = saved.lowDown().orElseGet(() -> down.low(mlp.act()));
    down.addGradients(dY, mlp.act(), lowDown, dDown.dLow(), gradient);

    Tensor norm = weights.postAttentionLayernorm();
    Tensor dNormed =
        gateUp.backward(mlp.dGateUp(), () -> normed(saved.h(), norm), saved.lowGateUp(), gradient);
    return kernels.rmsNormBackward(
        dNormed, saved.h(), saved.rstd(), norm, dY, linears.get(O).columnScale());
  }

  /**
   * @param dAttended the gradient of attention's output, {@code [T, q]}
   * @param dH of the residual stream behind it, {@code [T, hidden_size]}
   */
  private Tensor attentionBackward(
      Saved.Attention saved, Tensor dAttended, Tensor dH, Tensor gradient) {
    LoraLinear qkvProj = linears.get(QKV);
    Tensor qkv = saved.qkv();
    RowAttention.Gradients grads =
        rowAttention.backward(
            dAttended.view(dAttended.size(0), -1, config.headDim()),
            q(qkv),
            k(qkv),
            v(qkv),
            saved.output(),
            tokens.batch());
    Rows dQkv =
        kernels.ropeBackward(
            grads.dQ(), grads.dK(), grads.dV(), tokens.angles(), qkvProj.columnScale());

    Tensor norm = weights.inputLayernorm();
    Tensor dNormed =
        qkvProj.backward(dQkv, () -> normed(saved.x(), norm), saved.lowQkv(), gradient);
    // the FP8 form for the layer below would need that layer's scales
    return kernels.rmsNormBackward(dNormed, saved.x(), saved.rstd(), norm, dH, null).values();
  }

  /** What the norm gave in the forward, by the same kernel. */
  private Tensor normed(Tensor x, Tensor weight) {
    return kernels.rmsNorm(x, weight, config.rmsNormEps(), Matmul.COMPUTE).output().values();
  }

  /** What o_proj reads, {@code [N, q]}. */
  private Tensor attended(Saved.Attention attention) {
    return tokens.select(flat(attention.output().output()));
  }

  private Tensor q(Tensor qkv) {
    return heads(qkv, 0, config.numAttentionHeads());
  }

  private Tensor k(Tensor qkv) {
    return heads(qkv, config.numAttentionHeads(), config.numKeyValueHeads());
  }

  private Tensor v(Tensor qkv) {
    return heads(
        qkv, config.numAttentionHeads() + config.numKeyValueHeads(), config.numKeyValueHeads());
  }

  /** {@code [T, count, head_dim]}, a view. */
  private Tensor heads(Tensor qkv, long first, long count) {
    long headDim = config.headDim();
    return qkv.narrow(1, first * headDim, count * headDim).unflatten(1, count, headDim);
  }

  private static Tensor flat(Tensor heads) {
    return heads.view(heads.size(0), -1);
  }
}
