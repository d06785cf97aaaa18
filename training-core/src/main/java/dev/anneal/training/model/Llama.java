package dev.anneal.training.model;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
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
    /** its input, in pinned host memory */
    CHECKPOINT_ON_HOST,
    /** everything */
    KEEP
  }

  /** Nobody waits for a layer's gradients. */
  public static final IntConsumer UNNOTICED = layer -> {};

  private final TrainableModel model;
  private final Device device;
  private final Activations activations;
  private final LayerStack layers;
  private final Head head;

  public Llama(
      TrainableModel model, Device device, LayerStack layers, Head head, Activations activations) {
    this.model = model;
    this.device = device;
    this.layers = layers;
    this.head = head;
    this.activations = activations;
  }

  /** The reference, in the current tensor scope: every gradient by libtorch's autograd. */
  public static Llama reference(
      TrainableModel model, Device device, DType computeDtype, Activations activations) {
    return new Llama(
        model,
        device,
        new AutogradLayers(model, device, computeDtype),
        new AutogradHead(model),
        activations);
  }

  /**
   * Adds the gradient of the batch's summed cross-entropy to the parameters' gradient.
   *
   * @param layerDone told of every layer when the gradients of its parameters are enqueued, from
   *     the last to the first
   * @return {@code [1]} fp64 on the device, in the current tensor scope: the sum of the
   *     cross-entropy over the batch's target tokens
   */
  public Tensor forwardBackward(TokenBatch onHost, Dropout dropout, IntConsumer layerDone) {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = onHost.on(device);
      LayerStack.Pass pass = layers.on(batch, dropout);
      try (Memory memory = activations == Activations.KEEP ? new Tapes(pass) : new Inputs(pass)) {
        Tensor hidden = embed(batch.inputIds());
        for (int layer = 0; layer < layerCount(); layer++) {
          Tensor input = hidden;
          hidden = memory.forward(layer, input);
          scope.free(input);
        }
        Head.Result result = head.lossAndGradient(hidden, batch);
        scope.free(hidden);
        Tensor dHidden = result.dHidden();
        for (int layer = layerCount() - 1; layer >= 0; layer--) {
          Tensor dOutput = dHidden;
          dHidden = memory.backward(layer, dOutput);
          scope.free(dOutput);
          layerDone.accept(layer);
        }
        embedBackward(batch.inputIds(), dHidden);
        return scope.keep(result.loss());
      }
    }
  }

  /** The sum of the cross-entropy over the batch's target tokens. */
  public double loss(TokenBatch onHost) {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = onHost.on(device);
      return head.loss(hidden(batch, layers.on(batch, Dropout.NONE)), batch).item_double();
    }
  }

  /** The cross-entropy of each of the batch's target tokens, in their order. */
  public double[] losses(TokenBatch onHost) {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = onHost.on(device);
      // also where nothing is learned: ranks that share weights go through the layers together
      Tensor hidden = hidden(batch, layers.on(batch, Dropout.NONE));
      return batch.targetTokens() == 0
          ? new double[0]
          : Tensors.doubles(head.losses(hidden, batch).cpu());
    }
  }

  /**
   * The logits of the tokens that follow some positions.
   *
   * @param positions {@code [N]} int64 positions in the batch's stream
   * @return {@code [N, vocab_size]} in fp32, in the current tensor scope
   */
  public Tensor logits(TokenBatch onHost, Tensor positions) {
    return logitsBy(onHost, positions, batch -> layers.on(batch, Dropout.NONE));
  }

  /**
   * The same of tokens that go on from earlier ones.
   *
   * @param attention what the tokens see
   */
  public Tensor logits(TokenBatch onHost, Tensor positions, CachedAttention attention) {
    return logitsBy(onHost, positions, batch -> layers.after(batch, attention));
  }

  private Tensor logitsBy(
      TokenBatch onHost, Tensor positions, Function<TokenBatch, LayerStack.Forward> pass) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Leaves leaves = new Leaves(model.parameters());
      TokenBatch batch = onHost.on(device);
      Tensor last = hidden(batch, pass.apply(batch)).index_select(0, Tensors.to(device, positions));
      Tensor normed = RmsNorm.rmsNorm(last, model.norm(leaves), model.config().rmsNormEps());
      return scope.keep(torch.linear(normed, model.lmHead(leaves)).to(ScalarType.Float));
    }
  }

  /** The model's shape. */
  public LlamaConfig config() {
    return model.config();
  }

  /** An uninitialized tensor of the activations' dtype, where they are. */
  public Tensor emptyActivations(long... shape) {
    try (TensorScope scope = new TensorScope()) {
      Tensor like = model.embedTokens(new Leaves(model.parameters()));
      return scope.keep(Tensors.emptyLike(like, shape));
    }
  }

  /** Output of the last layer without gradients, {@code [T, hidden_size]}. */
  private Tensor hidden(TokenBatch batch, LayerStack.Forward pass) {
    try (TensorScope scope = new TensorScope()) {
      Tensor hidden = embed(batch.inputIds());
      for (int layer = 0; layer < layerCount(); layer++) {
        Tensor input = hidden;
        hidden = forward(pass, layer, input);
        scope.free(input);
      }
      return scope.keep(hidden);
    }
  }

  private Tensor forward(LayerStack.Forward pass, int layer, Tensor input) {
    return naming(layer, "forward", () -> pass.forward(layer, above(layer), input));
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

  private int layerCount() {
    return model.config().numHiddenLayers();
  }

  /** The layer after {@code layer} going forward. */
  private int above(int layer) {
    return layer + 1 < layerCount() ? layer + 1 : FrozenLayers.NONE;
  }

  /** The layer after {@code layer} going backward. */
  private static int below(int layer) {
    return layer > 0 ? layer - 1 : FrozenLayers.NONE;
  }

  private static <T> T naming(int layer, String pass, Supplier<T> work) {
    try {
      return work.get();
    } catch (LayerException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new LayerException(layer, pass, e);
    }
  }

  /** What stays of the forward of a micro-batch until its backward. */
  private interface Memory extends AutoCloseable {
    Tensor forward(int layer, Tensor input);

    Tensor backward(int layer, Tensor dOutput);

    @Override
    void close();
  }

  private final class Tapes implements Memory {
    private final LayerStack.Pass pass;
    private final Deque<LayerStack.Tape> tapes = new ArrayDeque<>();

    Tapes(LayerStack.Pass pass) {
      this.pass = pass;
    }

    @Override
    public Tensor forward(int layer, Tensor input) {
      tapes.push(naming(layer, "forward", () -> pass.record(layer, above(layer), input)));
      return tapes.peek().output();
    }

    @Override
    public Tensor backward(int layer, Tensor dOutput) {
      try (LayerStack.Tape tape = tapes.pop()) {
        return naming(layer, "backward", () -> tape.backward(below(layer), dOutput));
      }
    }

    @Override
    public void close() {
      tapes.forEach(LayerStack.Tape::close);
    }
  }

  private final class Inputs implements Memory {
    private final LayerStack.Pass pass;
    private final Checkpoints checkpoints;

    Inputs(LayerStack.Pass pass) {
      this.pass = pass;
      this.checkpoints =
          activations == Activations.CHECKPOINT_ON_HOST
              ? new HostCheckpoints(device, layerCount())
              : new Checkpoints.Resident(layerCount());
    }

    @Override
    public Tensor forward(int layer, Tensor input) {
      Tensor output = Llama.this.forward(pass, layer, input);
      checkpoints.save(layer, input);
      return output;
    }

    @Override
    public Tensor backward(int layer, Tensor dOutput) {
      try (TensorScope scope = new TensorScope()) {
        Tensor input = checkpoints.load(layer);
        try (LayerStack.Tape tape =
            naming(layer, "recomputed forward", () -> pass.recompute(layer, below(layer), input))) {
          return scope.keep(naming(layer, "backward", () -> tape.backward(below(layer), dOutput)));
        }
      }
    }

    @Override
    public void close() {
      checkpoints.close();
    }
  }
}
