package dev.anneal.training.model;

import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.activations.KeptForward;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.timing.Timings;
import java.util.function.Function;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A Llama forward and backward, layer by layer: the gradient of each layer is taken on its own, so
 * that no more than one layer's graph and one layer's gathered weights need exist at a time.
 */
public final class Llama {
  /** Nobody waits for a bucket's gradients. */
  public static final IntConsumer UNNOTICED = bucket -> {};

  private final TrainableModel model;
  private final Device device;
  private final KeptActivations activations;
  private final Embedding embedding;
  private final LayerStack layers;
  private final Head head;
  private final Timings timings;

  /** One that embeds by the model's whole matrix. */
  public Llama(
      TrainableModel model,
      Device device,
      LayerStack layers,
      Head head,
      KeptActivations activations) {
    this(model, device, ids -> embed(model, ids), layers, head, activations);
  }

  public Llama(
      TrainableModel model,
      Device device,
      Embedding embedding,
      LayerStack layers,
      Head head,
      KeptActivations activations) {
    this(model, device, embedding, layers, head, activations, Timings.OFF);
  }

  private Llama(
      TrainableModel model,
      Device device,
      Embedding embedding,
      LayerStack layers,
      Head head,
      KeptActivations activations,
      Timings timings) {
    this.model = model;
    this.device = device;
    this.embedding = embedding;
    this.layers = layers;
    this.head = head;
    this.activations = activations;
    this.timings = timings;
  }

  /** The same, of whose layers {@code taken} takes down how long they take. */
  public Llama timedBy(Timings taken) {
    return new Llama(model, device, embedding, layers, head, activations, taken);
  }

  /** The reference, in the current tensor scope: every gradient by libtorch's autograd. */
  public static Llama reference(
      TrainableModel model, Device device, DType computeDtype, KeptActivations activations) {
    return reference(model, device, computeDtype, activations, Objective.CROSS_ENTROPY);
  }

  /** The same, whose gradient is that of {@code objective}. */
  public static Llama reference(
      TrainableModel model,
      Device device,
      DType computeDtype,
      KeptActivations activations,
      Objective objective) {
    if (activations.hostLayers() > 0) {
      throw new IllegalArgumentException(
          "layers by libtorch's autograd keep what they make on the device: set hostLayers to 0");
    }
    return new Llama(
        model,
        device,
        new AutogradLayers(model, device, computeDtype),
        new AutogradHead(model, objective),
        activations);
  }

  /** Says of a micro-batch to come how long its rows are: what takes long to ready begins now. */
  public void expect(int[] rowLengths) {
    layers.expect(rowLengths);
  }

  /** The same as below, without noise. */
  public Tensor forwardBackward(TokenBatch onHost, Dropout dropout, IntConsumer bucketDone) {
    return forwardBackward(onHost, dropout, EmbeddingNoise.NONE, bucketDone);
  }

  /**
   * Adds the gradient of the batch's summed objective to the parameters' gradient.
   *
   * @param noise on what is embedded; the gradient is that behind it
   * @param bucketDone told of every bucket of the parameters when all of this batch's gradients of
   *     it are enqueued: the head's if there is one, the layers' from the last to the first, then
   *     the embedding's
   * @return {@code [1]} fp64 on the device, in the current tensor scope: the objective, summed over
   *     what the batch counts ({@link Objective#count})
   */
  public Tensor forwardBackward(
      TokenBatch onHost, Dropout dropout, EmbeddingNoise noise, IntConsumer bucketDone) {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = onHost.on(device);
      LayerStack.Pass pass = layers.on(batch, dropout);
      try (KeptForward memory = new KeptForward(pass, activations, layerCount(), device, timings)) {
        Tensor hidden = embedding.of(batch.inputIds());
        noise.addTo(hidden, batch);
        for (int layer = 0; layer < layerCount(); layer++) {
          expectHeadAfter(layer);
          Tensor input = hidden;
          hidden = memory.forward(layer, input);
          scope.free(input);
        }
        Head.Result result = headLossAndGradient(hidden, batch);
        scope.free(hidden);
        model.headBucket().ifPresent(bucketDone);
        Tensor dHidden = result.dHidden();
        for (int layer = layerCount() - 1; layer >= 0; layer--) {
          Tensor dOutput = dHidden;
          dHidden = memory.backward(layer, dOutput);
          scope.free(dOutput);
          bucketDone.accept(layer);
        }
        embedBackward(batch.inputIds(), dHidden);
        model.embeddingBucket().ifPresent(bucketDone);
        return scope.keep(result.loss());
      }
    }
  }

  private Head.Result headLossAndGradient(Tensor hidden, TokenBatch batch) {
    try (Timings.Span span = timings.layer("head", Timings.NO_LAYER)) {
      return head.lossAndGradient(hidden, batch);
    }
  }

  /** The sum of the cross-entropy over the batch's target tokens. */
  public double loss(TokenBatch onHost) {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = onHost.on(device);
      Tensor hidden = hidden(scope, batch, layers.on(batch, Dropout.NONE));
      return head.loss(hidden, batch).item_double();
    }
  }

  /** The cross-entropy of each of the batch's target tokens, in their order. */
  public double[] losses(TokenBatch onHost) {
    try (TensorScope scope = new TensorScope()) {
      TokenBatch batch = onHost.on(device);
      // also where nothing is learned: ranks that share weights bring them together as one
      Tensor losses = head.losses(hidden(scope, batch, layers.on(batch, Dropout.NONE)), batch);
      return batch.targetTokens() == 0 ? new double[0] : Tensors.doubles(losses.cpu());
    }
  }

  /**
   * The logits of the tokens that follow some positions.
   *
   * @param positions {@code [N]} int64 positions in the batch's stream
   * @return {@code [N, vocab_size]} in fp32, in the current tensor scope
   */
  public Tensor logits(TokenBatch onHost, Tensor positions) {
    // any position may be asked for
    return logitsBy(onHost.withoutTargets(), positions, batch -> layers.on(batch, Dropout.NONE));
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
      Tensor hidden = hidden(scope, batch, pass.apply(batch));
      Tensor last = hidden.index_select(0, Tensors.to(device, positions));
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
      // the one weight that every model has whole on every rank
      Tensor like = model.norm(new Leaves(model.parameters()));
      return scope.keep(Tensors.emptyLike(like, shape));
    }
  }

  /**
   * Output of the last layer without gradients, {@code [T, hidden_size]}.
   *
   * @param scope the current one, which lasts until the head is at work
   */
  private Tensor hidden(TensorScope scope, TokenBatch batch, LayerStack.Forward pass) {
    Tensor hidden = embedding.of(batch.inputIds());
    for (int layer = 0; layer < layerCount(); layer++) {
      expectHeadAfter(layer);
      Tensor input = hidden;
      hidden = KeptForward.forward(pass, layer, layerCount(), input);
      scope.free(input);
    }
    return hidden;
  }

  private void expectHeadAfter(int layer) {
    if (layer == layerCount() - 1) {
      model.expectLmHead();
    }
  }

  private static Tensor embed(TrainableModel model, Tensor inputIds) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor weight = model.embedTokens(new Leaves(model.parameters()));
      return scope.keep(torch.embedding(weight, inputIds));
    }
  }

  private void embedBackward(Tensor inputIds, Tensor dHidden) {
    if (!model.trainsEmbedTokens()) {
      return;
    }
    try (TensorScope scope = new TensorScope()) {
      Leaves leaves = new Leaves(model.parameters());
      Tensor embedded = torch.embedding(model.embedTokens(leaves), inputIds);
      leaves.accumulate(Grads.grad(embedded, leaves.tensors(), dHidden), 0);
    }
  }

  private int layerCount() {
    return model.config().numHiddenLayers();
  }
}
