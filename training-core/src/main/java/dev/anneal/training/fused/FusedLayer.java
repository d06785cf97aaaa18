package dev.anneal.training.fused;

import static dev.anneal.training.model.ModuleGroup.DOWN;
import static dev.anneal.training.model.ModuleGroup.GATE_UP;
import static dev.anneal.training.model.ModuleGroup.O;
import static dev.anneal.training.model.ModuleGroup.QKV;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Kernels.Normed;
import dev.anneal.training.kernel.Rows;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.weights.FrozenLayer;
import dev.anneal.training.weights.FrozenMatrix;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * One decoder layer on one micro-batch, forward and backward; compare {@code LlamaLayer}. Shapes as
 * in {@link Saved}; {@code dX} is the gradient of the loss with respect to {@code x}.
 */
record FusedLayer(
    LlamaConfig config,
    Kernels kernels,
    FrozenProducts products,
    RowAttention rowAttention,
    FrozenLayer weights,
    Map<ModuleGroup, GroupAdapters> adapters,
    TokenBatch batch,
    Tensor angles) {

  /** The result of {@link #forward}. */
  record Output(Saved saved, Tensor y) {}

  Output forward(Tensor x) {
    Saved saved = forwardToMlp(x);
    Rows act = kernels.swiglu(saved.gateUp(), products.matmul());
    Tensor lowDown = adapters.get(DOWN).low(act.values());
    Tensor y = linear(DOWN, act, lowDown).add_(saved.h());
    return new Output(saved.withLowDown(lowDown), y);
  }

  /** All that the backward reads: the down projection is none of it. */
  Saved forwardToMlp(Tensor x) {
    Normed input =
        kernels.rmsNorm(x, weights.inputLayernorm(), config.rmsNormEps(), products.matmul());
    Tensor lowQkv = adapters.get(QKV).low(input.output().values());
    Tensor qkv = linear(QKV, input.output(), lowQkv);
    kernels.rope(heads(qkv, 0, config.numAttentionHeads() + config.numKeyValueHeads()), angles);
    RowAttention.Output attention = rowAttention.forward(q(qkv), k(qkv), v(qkv), batch);

    Rows attended = products.rows(flat(attention.output()));
    Tensor lowO = adapters.get(O).low(attended.values());
    Tensor h = linear(O, attended, lowO);
    Normed post =
        kernels.addRmsNorm(
            x, h, weights.postAttentionLayernorm(), config.rmsNormEps(), products.matmul());

    Tensor lowGateUp = adapters.get(GATE_UP).low(post.output().values());
    Tensor gateUp = linear(GATE_UP, post.output(), lowGateUp);
    return new Saved(
        x,
        input.rstd(),
        input.output().values(),
        qkv,
        lowQkv,
        attention,
        lowO,
        h,
        post.rstd(),
        post.output().values(),
        gateUp,
        lowGateUp,
        null);
  }

  /**
   * Writes the adapters' gradients. Overwrites what {@code saved} holds.
   *
   * @return {@code dX}
   */
  Tensor backward(Saved saved, Tensor dY) {
    Tensor dH = mlpBackward(saved, dY);
    return attentionBackward(saved, dH);
  }

  private Tensor mlpBackward(Saved saved, Tensor dY) {
    Tensor dLowDown = adapters.get(DOWN).dLow(dY);
    Tensor dAct = linearBackward(DOWN, products.rows(dY, matrix(DOWN)), dLowDown);
    Rows dGateUp =
        kernels.swigluBackward(dAct, saved.gateUp(), products.columnScale(matrix(GATE_UP)));
    Tensor act = dAct;
    Tensor lowDown = saved.lowDown() == null ? adapters.get(DOWN).low(act) : saved.lowDown();
    adapters.get(DOWN).gradients(act, lowDown, dY, dLowDown);

    Tensor dLowGateUp = adapters.get(GATE_UP).dLow(dGateUp.values());
    Tensor dNormed = linearBackward(GATE_UP, dGateUp, dLowGateUp);
    Tensor weight = weights.postAttentionLayernorm();
    adapters
        .get(GATE_UP)
        .gradients(saved.postNormed(), saved.lowGateUp(), dGateUp.values(), dLowGateUp);
    kernels.rmsNormBackward(dNormed, saved.h(), saved.postRstd(), weight, dY);
    return dNormed;
  }

  private Tensor attentionBackward(Saved saved, Tensor dH) {
    Tensor dLowO = adapters.get(O).dLow(dH);
    Tensor dAttended = linearBackward(O, products.rows(dH, matrix(O)), dLowO);
    adapters.get(O).gradients(flat(saved.attention().output()), saved.lowO(), dH, dLowO);
    Tensor qkv = saved.qkv();
    RowAttention.Gradients grads =
        rowAttention.backward(
            dAttended.view(dAttended.size(0), -1, config.headDim()),
            q(qkv),
            k(qkv),
            v(qkv),
            saved.attention(),
            batch);
    Rows dQkv =
        kernels.ropeBackward(
            grads.dQ(), grads.dK(), grads.dV(), angles, products.columnScale(matrix(QKV)));

    Tensor dLowQkv = adapters.get(QKV).dLow(dQkv.values());
    Tensor dNormed = linearBackward(QKV, dQkv, dLowQkv);
    Tensor weight = weights.inputLayernorm();
    adapters.get(QKV).gradients(saved.inputNormed(), saved.lowQkv(), dQkv.values(), dLowQkv);
    kernels.rmsNormBackward(dNormed, saved.x(), saved.inputRstd(), weight, dH);
    return dNormed;
  }

  private Tensor linear(ModuleGroup group, Rows x, Tensor low) {
    Tensor y = products.forward(x, matrix(group));
    adapters.get(group).addTo(y, low);
    return y;
  }

  private Tensor linearBackward(ModuleGroup group, Rows dY, Tensor dLow) {
    Tensor dX = products.backward(dY, matrix(group));
    adapters.get(group).addInputGradient(dX, dLow);
    return dX;
  }

  private FrozenMatrix matrix(ModuleGroup group) {
    return weights.matrices().get(group);
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
