package dev.anneal.training.model;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The reference: a layer's backward is libtorch's autograd over that one layer, on any device and
 * in any dtype.
 */
public final class AutogradLayers implements LayerStack {
  private final TrainableModel model;
  private final DType computeDtype;
  private final Tensor frequencies;

  /** On {@code device}, in the current tensor scope. */
  public AutogradLayers(TrainableModel model, Device device, DType computeDtype) {
    this.model = model;
    this.computeDtype = computeDtype;
    this.frequencies = Rope.frequencies(model.config(), device);
  }

  @Override
  public Pass on(TokenBatch batch, Dropout dropout) {
    Rope rope = Rope.at(batch.positions(), frequencies, computeDtype);
    return new AutogradPass(rope, batch.rowLengths(), dropout);
  }

  @Override
  public Forward after(TokenBatch batch, CachedAttention attention) {
    Rope rope = Rope.at(batch.positions(), frequencies, computeDtype);
    return (layer, next, x) -> {
      try (TensorScope scope = new TensorScope();
          NoGrad noGrad = new NoGrad()) {
        LlamaLayer block = model.layer(layer, Dropout.NONE, new Leaves(model.parameters()));
        return scope.keep(block.forward(x, rope, (q, k, v) -> attention.attend(layer, q, k, v)));
      }
    };
  }

  private final class AutogradPass implements Pass {
    private final Rope rope;
    private final int[] rowLengths;
    private final Dropout dropout;

    AutogradPass(Rope rope, int[] rowLengths, Dropout dropout) {
      this.rope = rope;
      this.rowLengths = rowLengths;
      this.dropout = dropout;
    }

    @Override
    public Tensor forward(int layer, int next, Tensor x) {
      try (TensorScope scope = new TensorScope();
          NoGrad noGrad = new NoGrad()) {
        LlamaLayer block = model.layer(layer, dropout, new Leaves(model.parameters()));
        return scope.keep(block.forward(x, rope, rowLengths));
      }
    }

    @Override
    public Tape record(int layer, int next, Tensor x) {
      return recompute(layer, next, x);
    }

    @Override
    public Tape recompute(int layer, int next, Tensor input) {
      Tensor x = input.detach().requires_grad_(true);
      Leaves leaves = new Leaves(model.parameters());
      LlamaLayer block = model.layer(layer, dropout, leaves);
      return new Graph(x, leaves, block.forward(x, rope, rowLengths));
    }
  }

  private record Graph(Tensor x, Leaves leaves, Tensor result) implements Tape {
    @Override
    public Tensor output() {
      return result.detach();
    }

    @Override
    public Tensor backward(int next, Tensor dOutput) {
      try (TensorScope scope = new TensorScope()) {
        List<Tensor> inputs = new ArrayList<>(List.of(x));
        inputs.addAll(leaves.tensors());
        Tensor[] grads = Grads.grad(result, inputs, dOutput);
        leaves.accumulate(grads, 1);
        return scope.keep(grads[0]);
      }
    }

    @Override
    public List<Tensor> giveUp() {
      throw new UnsupportedOperationException("a graph of libtorch's stays where it is");
    }

    @Override
    public void takeBack(List<Tensor> tensors) {
      throw new UnsupportedOperationException("a graph of libtorch's gives nothing up");
    }

    /** The graph belongs to the scope that it was recorded in. */
    @Override
    public void close() {}
  }
}
