package dev.anneal.training.model;

import static dev.anneal.training.model.RmsNorm.rmsNorm;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A Llama forward and backward, layer by layer: the gradient of each layer is taken on its own, so
 * that no more than one layer's graph and one layer's gathered weights need exist at a time.
 */
public final class Llama {

  /** What a layer keeps of its forward for its backward. */
  public enum Activations {
    /** its input; the rest is computed again */
    CHECKPOINT,
    /** its input, in pinned memory of the host; the rest is computed again */
    CHECKPOINT_ON_HOST,
    /** everything */
    KEEP
  }

  private final TrainableModel model;
  private final DType computeDtype;
  private final Activations activations;
  private final LossHead head;

  public Llama(TrainableModel model, DType computeDtype, Activations activations) {
    this.model = model;
    this.computeDtype = computeDtype;
    this.activations = activations;
    this.head = new LossHead(model);
  }

  /**
   * Adds the gradient of the batch's summed cross-entropy to the parameters' gradient.
   *
   * @return the sum of the cross-entropy over the batch's target tokens
   */
  public double forwardBackward(TokenBatch batch, Dropout dropout) {
    try (TensorScope scope = new TensorScope()) {
      Rope rope = rope(batch);
      Deque<LayerTape> tapes = new ArrayDeque<>();
      Tensor hidden = embed(batch.inputIds());
      for (int layer = 0; layer < layers(); layer++) {
        LayerTape tape = new LayerTape(layer, hidden, rope, batch.rowLengths(), dropout);
        hidden = tape.forward();
        tapes.push(tape);
      }
      LossHead.Result result = head.lossAndGradient(hidden, batch);
      Tensor dHidden = result.dHidden();
      scope.free(hidden);
      while (!tapes.isEmpty()) {
        LayerTape tape = tapes.pop();
        Tensor dOutput = dHidden;
        dHidden = tape.backward(dOutput);
        // each is as large as the activations of a layer, and there are many layers
        scope.free(dOutput);
        scope.free(tape.input);
      }
      embedBackward(batch.inputIds(), dHidden);
      return result.loss();
    }
  }

  /** The sum of the cross-entropy over the batch's target tokens. */
  public double loss(TokenBatch batch) {
    try (TensorScope scope = new TensorScope()) {
      return head.loss(hidden(batch), batch);
    }
  }

  /**
   * The logits of the tokens that follow some positions.
   *
   * @param positions {@code [N]} int64 positions in the batch's stream
   * @return {@code [N, vocab_size]} in fp32
   */
  public Tensor logits(TokenBatch batch, Tensor positions) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Leaves leaves = new Leaves(model.parameters());
      Tensor last = hidden(batch).index_select(0, positions);
      Tensor normed = rmsNorm(last, model.norm(leaves), model.config().rmsNormEps());
      return scope.keep(torch.linear(normed, model.lmHead(leaves)).to(ScalarType.Float));
    }
  }

  /** Output of the last layer without gradients, {@code [T, hidden_size]}. */
  private Tensor hidden(TokenBatch batch) {
    try (TensorScope scope = new TensorScope()) {
      Rope rope = rope(batch);
      Tensor hidden = embed(batch.inputIds());
      for (int layer = 0; layer < layers(); layer++) {
        Tensor input = hidden;
        hidden = inference(layer, input, rope, batch.rowLengths(), Dropout.NONE);
        scope.free(input);
      }
      return scope.keep(hidden);
    }
  }

  private Tensor inference(int layer, Tensor x, Rope rope, int[] rowLengths, Dropout dropout) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      LlamaLayer block = model.layer(layer, dropout, new Leaves(model.parameters()));
      return scope.keep(block.forward(x, rope, rowLengths));
    } catch (RuntimeException e) {
      throw new LayerException(layer, "forward", e);
    }
  }

  /** {@code [T, hidden_size]} */
  private Tensor embed(Tensor inputIds) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor weight = model.embedTokens(new Leaves(model.parameters()));
      return scope.keep(torch.embedding(weight, inputIds));
    }
  }

  private void embedBackward(Tensor inputIds, Tensor dHidden) {
    try (TensorScope scope = new TensorScope()) {
      Leaves leaves = new Leaves(model.parameters());
      Tensor weight = model.embedTokens(leaves);
      if (!leaves.isEmpty()) {
        Tensor embedded = torch.embedding(weight, inputIds);
        leaves.accumulate(Grads.grad(embedded, leaves.tensors(), dHidden), 0);
      }
    }
  }

  private Rope rope(TokenBatch batch) {
    return Rope.at(batch.positions(), model.config(), computeDtype);
  }

  private int layers() {
    return model.config().numHiddenLayers();
  }

  /** One layer's forward, and what its backward needs of it. */
  private final class LayerTape {
    private final int layer;
    private final Tensor input;
    private final Rope rope;
    private final int[] rowLengths;
    private final Dropout dropout;
    private Graph kept;

    LayerTape(int layer, Tensor input, Rope rope, int[] rowLengths, Dropout dropout) {
      this.layer = layer;
      this.input = input;
      this.rope = rope;
      this.rowLengths = rowLengths;
      this.dropout = dropout;
    }

    private record Graph(Tensor x, Leaves leaves, Tensor output) {}

    Tensor forward() {
      if (activations != Activations.KEEP) {
        return inference(layer, input, rope, rowLengths, dropout);
      }
      kept = record("forward");
      return kept.output().detach();
    }

    /**
     * @param dOutput {@code [T, hidden_size]}
     * @return the gradient of the input, in the scope around this call
     */
    Tensor backward(Tensor dOutput) {
      try (TensorScope scope = new TensorScope()) {
        Graph graph = kept == null ? record("recomputed forward") : kept;
        List<Tensor> inputs = new ArrayList<>(List.of(graph.x()));
        inputs.addAll(graph.leaves().tensors());
        Tensor[] grads = Grads.grad(graph.output(), inputs, dOutput);
        graph.leaves().accumulate(grads, 1);
        return scope.keep(grads[0]);
      } catch (LayerException e) {
        throw e;
      } catch (RuntimeException e) {
        throw new LayerException(layer, "backward", e);
      }
    }

    private Graph record(String pass) {
      try {
        Tensor x = input.detach().requires_grad_(true);
        Leaves leaves = new Leaves(model.parameters());
        LlamaLayer block = model.layer(layer, dropout, leaves);
        return new Graph(x, leaves, block.forward(x, rope, rowLengths));
      } catch (RuntimeException e) {
        throw new LayerException(layer, pass, e);
      }
    }
  }
}
