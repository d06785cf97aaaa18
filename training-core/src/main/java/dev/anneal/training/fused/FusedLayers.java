package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.CachedAttention;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.LayerStack;
import dev.anneal.training.model.Rope;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayer;
import java.util.List;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Tensor;

/**
 * Decoder layers with an explicit forward and backward over fused kernels: four frozen products a
 * layer in either direction, and low-rank products beside them. Adapters have no dropout here.
 */
final class FusedLayers implements LayerStack {
  private final LoraModel model;
  private final Kernels kernels;
  private final LoraLinears linears;
  private final RowAttention attention;
  private final Tensor frequencies;

  /** On {@code device}, in the current tensor scope. */
  FusedLayers(
      LoraModel model,
      Device device,
      Kernels kernels,
      LoraLinears linears,
      RowAttention attention) {
    this.model = model;
    this.kernels = kernels;
    this.linears = linears;
    this.attention = attention;
    this.frequencies = Rope.frequencies(model.config(), device);
  }

  @Override
  public Pass on(TokenBatch batch, Dropout dropout) {
    if (dropout.p() > 0) {
      throw new IllegalArgumentException("fused layers have no dropout");
    }
    return new FusedPass(batch, layer -> attention);
  }

  @Override
  public Forward after(TokenBatch batch, CachedAttention cached) {
    return new FusedPass(batch, layer -> new CachedRowAttention(cached, layer));
  }

  @Override
  public void expect(int[] rowLengths) {
    attention.expect(rowLengths);
  }

  private final class FusedPass implements Pass {
    private final TokenBatch batch;
    private final IntFunction<RowAttention> attentions;
    private final Tensor angles;

    /**
     * @param attentions each layer's
     */
    FusedPass(TokenBatch batch, IntFunction<RowAttention> attentions) {
      this.batch = batch;
      this.attentions = attentions;
      Tensor radians = Rope.angles(batch.positions(), frequencies);
      this.angles = Tensors.cat(-1, radians.cos(), radians.sin());
    }

    @Override
    public Tensor forward(int layer, int next, Tensor x) {
      try (TensorScope scope = new TensorScope();
          NoGrad noGrad = new NoGrad()) {
        return scope.keep(layer(layer, next).forward(x).y());
      }
    }

    @Override
    public Tape record(int layer, int next, Tensor x) {
      try (TensorScope scope = new TensorScope();
          NoGrad noGrad = new NoGrad()) {
        FusedLayer.Output output = layer(layer, next).forward(x);
        return new FusedTape(layer, output.saved().own(), scope.keep(output.y()));
      }
    }

    @Override
    public Tape recompute(int layer, int next, Tensor x) {
      try (TensorScope scope = new TensorScope();
          NoGrad noGrad = new NoGrad()) {
        return new FusedTape(layer, layer(layer, next).forwardToMlp(x).own(), null);
      }
    }

    private FusedLayer layer(int layer, int next) {
      FrozenLayer frozen = model.decoder().use(layer, next);
      return new FusedLayer(
          model.config(),
          kernels,
          attentions.apply(layer),
          frozen,
          linears.layer(layer, next, frozen),
          tokens(layer));
    }

    private LayerTokens tokens(int layer) {
      return layer == model.config().numHiddenLayers() - 1
          ? LayerTokens.ofLast(batch, angles)
          : LayerTokens.all(batch, angles);
    }

    private final class FusedTape implements Tape {
      private final int layer;
      private final Tensor output;
      private Saved saved;
      private boolean holds = true;

      FusedTape(int layer, Saved saved, Tensor output) {
        this.layer = layer;
        this.saved = saved;
        this.output = output;
      }

      @Override
      public Tensor output() {
        return output;
      }

      @Override
      public Tensor backward(int next, Tensor dOutput) {
        try (TensorScope scope = new TensorScope();
            NoGrad noGrad = new NoGrad()) {
          Tensor gradient = linears.gradient(layer);
          return scope.keep(layer(layer, next).backward(saved, dOutput, gradient));
        }
      }

      @Override
      public List<Tensor> giveUp() {
        holds = false;
        return saved.tensors();
      }

      @Override
      public void takeBack(List<Tensor> tensors) {
        saved = saved.with(tensors);
        holds = true;
      }

      @Override
      public void close() {
        if (holds) {
          saved.close();
        }
      }
    }
  }
}
